-- Each round: when, why, and what came of it. Losing it loses history; syncing goes on as before.
CREATE TABLE round (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    started INTEGER NOT NULL,             -- times are microseconds since 1970
    finished INTEGER NOT NULL DEFAULT -1, -- -1 while it runs, and for ever after a crash
    trigger TEXT NOT NULL,                -- why it ran
    report TEXT NOT NULL DEFAULT ''       -- JSON
) STRICT;
