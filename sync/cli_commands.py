"""Every command by its name: where it is, as ``MODULE:NAME``, and the first sentence of its help.

A new command is announced here; ``leadpact --help`` tells it from here, and imports none.
"""

from __future__ import annotations

from collections.abc import Mapping

COMMANDS: Mapping[str, tuple[str, str]] = {
    "plan": ("sync.cli_plan:plan", "What a sync would change, per field, with reasons; writes nothing."),
    "apply": (
        "sync.cli_plan:apply",
        "Carry out a saved plan; each lead that moved since is left alone and named.",
    ),
    "sync": ("sync.cli_runs:sync", "Incremental: read, decide, write under the guards, remember."),
    "rescore": (
        "sync.cli_runs:rescore",
        "What time alone changed, from stored values, without reading the CRMs.",
    ),
    "status": ("sync.cli_status:status", "Connections, freshness, backlog, quota, last runs."),
    "alerts": ("sync.cli_alerts:alerts", "Alerts; `status` shows those that are open."),
    "backfill": ("sync.cli_backfill:backfill", "Everything in range; resumable; yields to the live lanes."),
    "agree": (
        "sync.cli_agree:agree",
        "Prove that both CRMs show the same stage, score and temperature for every linked lead, or"
        " why not yet.",
    ),
    "drift": ("sync.cli_drift:drift", "Finds differences that no change log told about."),
    "refused": (
        "sync.cli_refused:refused",
        "What a CRM rejected and has not taken since, by cause, with a fix; a later sync tries it again.",
    ),
    "handovers": (
        "sync.cli_handover:handovers",
        "What marketing handed to sales: due by, first touch, answer, and what looks too early or too late.",
    ),
    "held": (
        "sync.cli_resolve:held",
        "What waits for a person: ambiguous records, and fields that both sides changed.",
    ),
    "resolve": (
        "sync.cli_resolve:resolve",
        "Settle a held conflict or an ambiguous match; it is not asked again.",
    ),
    "opportunities": (
        "sync.cli_lists:opportunities",
        "Open opportunities that no contact role ties to anybody, with the leads that belong to"
        " their account.",
    ),
    "addresses": (
        "sync.cli_lists:addresses",
        "Addresses that leads had before they had another one: nobody should get mail there until"
        " somebody has looked.",
    ),
    "undo": ("sync.cli_undo:undo", "Restores what a run changed, except what people have changed since."),
    "import": (
        "sync.cli_import:import_file",
        "People met elsewhere, from a spreadsheet saved as CSV: shown first, then written like any"
        " other plan.",
    ),
    "export": ("sync.cli_privacy:export", "Everything Leadpact keeps about a person, readable and as JSON."),
    "forget": (
        "sync.cli_privacy:forget",
        "Erase a person from everything Leadpact keeps, with a certificate.",
    ),
    "report": (
        "sync.cli_report:report",
        "Funnel, cost per lead by channel, goals, handover timing: what became of the leads of a period.",
    ),
    "sandbox": (
        "sync.cli_sandbox:sandbox",
        "The pretend CRMs: both wire protocols over real HTTP on this machine.",
    ),
    "serve": (
        "sync.cli_service:serve_command",
        "Webhook endpoints, schedules and a worker in one process, until it is stopped.",
    ),
    "worker": (
        "sync.cli_service:worker",
        "Work on jobs until it is stopped; run as many as you like, on any machine with the same database.",
    ),
    "jobs": (
        "sync.cli_service:jobs",
        "Jobs that are queued, running or parked; `jobs` alone is `jobs list`.",
    ),
    "demo": (
        "sync.cli_demo:demo",
        "Both pretend CRMs with made-up leads: setup, first sync, a day of changes, second sync, agreement.",
    ),
    "init": (
        "sync.cli_init:init",
        "Write a commented config to start from: connection, fields and policy in three files.",
    ),
    "check": (
        "sync.cli_check:check",
        "Config, credentials, mapping and policy against the live schemas; each problem with its"
        " line and a fix.",
    ),
    "setup": (
        "sync.cli_check:setup",
        "Show, then create, the fields that the write-back needs in both CRMs, with the policy's"
        " bands as options.",
    ),
    "explain": (
        "sync.cli_past:explain",
        "Score, points, stage, conflicts and history of one lead, and the smallest change that would"
        " alter it.",
    ),
    "runs": ("sync.cli_past:runs", "Past runs and their numbers, newest first."),
}

#: ``leadpact policy …``
OF_THE_POLICY: Mapping[str, tuple[str, str]] = {
    "backtest": (
        "sync.cli_backtest:backtest_policy",
        "How right the policy would have been: past leads judged by what was known then, against"
        " what became of them.",
    ),
    "learn": (
        "sync.cli_learn:learn_policy",
        "Points and half-lives that the past suggests, measured beside the hand-made policy on leads"
        " that were held out.",
    ),
    "test": (
        "sync.cli_golden:test_policy",
        "Hold golden leads against the policy: who is to stand where, and which rule says otherwise.",
    ),
    "diff": (
        "sync.cli_policy:diff_policy",
        "Who would change stage or temperature under another policy, and which rule would do it.",
    ),
}

#: ``leadpact db …``
OF_THE_STATE: Mapping[str, tuple[str, str]] = {
    "backup": ("sync.cli_backup:backup", "Save everything Leadpact remembers into one file."),
    "restore": (
        "sync.cli_backup:restore",
        "Replace everything Leadpact remembers by a backup; whoever was forgotten since stays forgotten.",
    ),
    "retain": (
        "sync.cli_backup:retain",
        "Delete the history that is older than the periods of [privacy] allow.",
    ),
    "migrate": ("sync.cli_backup:migrate", "Bring the database up to this program."),
}
