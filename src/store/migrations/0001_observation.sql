-- What each side was last seen to hold. Losing it costs one complete reading of both sides, nothing else.
CREATE TABLE observation (
    side TEXT NOT NULL CHECK (side IN ('mailbox', 'crm')),
    class TEXT NOT NULL CHECK (class IN ('contact', 'task', 'appointment', 'email')),
    id TEXT NOT NULL,
    version TEXT NOT NULL,
    uid TEXT NOT NULL DEFAULT '',
    problem TEXT NOT NULL DEFAULT '',     -- why it cannot be read; '' when it can
    seen_round INTEGER NOT NULL,
    traits TEXT NOT NULL DEFAULT '',      -- JSON
    fields TEXT NOT NULL DEFAULT '',      -- JSON; '' when not read. Last: a scan of the heads never loads it
    PRIMARY KEY (side, class, id)
) STRICT;
