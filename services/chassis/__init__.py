"""The shared runtime of every service: the only code that services have in common.

Each hard rule of the platform lives in exactly one module here:

===================  ==========================================================================
rule                 module
===================  ==========================================================================
tenancy              :mod:`.tenancy` (names), :mod:`.database` (unit of work under one role)
command once         :mod:`.commands` (command inbox), :mod:`.rpc` (deadlines)
no dual write        :mod:`.events` (state and event in one transaction), :mod:`.relay`
event once           :mod:`.inbox` (deduplication, retry, dead letters), :mod:`.gaps` (catch-up)
===================  ==========================================================================
"""

import os

# Before anything imports psycopg: its C wait would block every green thread of the process (two threads on one row
# lock hang it for good). The services' connections wait in a cheaper way (:mod:`.green_waiting`).
os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_selector")
