"""Local services (政务 / 网格 / 物业 / 便民 / 周边服务): who offers what, when, and how to reach it.

entries   what an organisation says that it offers
hours     when it is open
licences  merchants, checked by the residents' committee
bookings  the times that it can be visited at, and who has booked them
offers    what it offers for a while
ratings   what residents think of it
"""
