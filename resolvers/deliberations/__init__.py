"""Deliberation (小区议事).

topics      convening a deliberation, or proposing one; its text and its plan
phases      moving it on, by the convenor or at its time
statements  what residents say in a sentence, and who agrees
opinions    groups and consensus, computed from the votes: mathematics only
analysis    running that off the event loop, and keeping the map
outcomes    what the convenor concludes
executions  what is done about it, and whether residents find it done
timeline    the whole case, from the complaint to the verified result
steps       the append-only record behind it, and who is told
"""
