-- Every remote write: written down before it is tried, finished afterwards, never removed. Losing it loses `explain`,
-- `history` and `undo`, and the knowledge of which writes were under way at a crash.
CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    round INTEGER NOT NULL REFERENCES round (id),
    class TEXT NOT NULL CHECK (class IN ('contact', 'task', 'appointment', 'email')),
    link INTEGER NOT NULL DEFAULT 0,       -- 0 when there was none yet. Not a reference: history outlives links
    item TEXT NOT NULL DEFAULT '',
    record TEXT NOT NULL DEFAULT '',
    side TEXT NOT NULL CHECK (side IN ('mailbox', 'crm')),   -- the side that is written to
    action TEXT NOT NULL CHECK (action IN ('create', 'update', 'delete', 'mark')),
    why TEXT NOT NULL,
    before TEXT NOT NULL DEFAULT '',       -- JSON; '' when there was nothing
    after TEXT NOT NULL DEFAULT '',        -- JSON; '' when there is nothing, or it is not known
    patch TEXT NOT NULL DEFAULT '{}',      -- JSON
    expect TEXT NOT NULL DEFAULT '',       -- the version it was planned against
    result TEXT NOT NULL DEFAULT '',       -- the version it led to
    key TEXT NOT NULL,                     -- the operation's own name, the same at each attempt
    attempts INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('intended', 'done', 'refused', 'unknown', 'parked')),
    error TEXT NOT NULL DEFAULT '',
    at INTEGER NOT NULL                    -- of the last word on it
) STRICT;

CREATE INDEX journal_round ON journal (round);
CREATE INDEX journal_item ON journal (class, item);
CREATE INDEX journal_record ON journal (class, record);
CREATE INDEX journal_key ON journal (key);
CREATE INDEX journal_open ON journal (outcome) WHERE outcome IN ('intended', 'unknown');
