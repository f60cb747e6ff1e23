"""Interest groups (兴趣小组).

founding  making a group, its text, and its end
joining   coming in: at once, on request, or invited
members   leaving, removing, roles, handing over, and of what a member is told
posting   what a new post does to its group, and who is told of it
reading   groups, as far as the viewer may know of them
people    who is in them, who wants to come in, and what was done there
steps     what was done in a group, and how that is told
"""
