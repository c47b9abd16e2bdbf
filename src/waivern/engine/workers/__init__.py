"""Worker processes: components that compute run in processes of their own.

    coordinator ── starts ──▶ keeper ── forks ──▶ fork_template ── forks ──▶ worker
    ProcessExecutor ─ WorkerPool ─ CallSession ═══════ socket ═══════════▶ Worker
                                                                            │ opens the inputs
    ledger ◀── receipt ◀── outcome ◀────────────────────────────────────── │ stages the result

The coordinator decides, publishes and writes the journal. A worker carries out one call at a time,
for one component only: what a component imports or changes cannot reach another one. The keeper
ends them all when the attempt ends, however it does.
"""
