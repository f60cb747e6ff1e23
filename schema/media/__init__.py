"""Pictures and documents, as clients see them.

files     what a thing shows, with addresses that are good for some minutes
endpoint  uploading, and what those addresses lead to, over plain HTTP
"""
