-- Edits that were acknowledged and wait to be written there. Losing it loses the user's work: back it up.
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of entry
    tbl TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind = 'create' OR kind = 'update' OR kind = 'delete'),
    version TEXT NOT NULL,         -- what it was made on; empty: on a row that is not there yet
    edits TEXT NOT NULL,           -- JSON: by column what stood there and what shall
    name TEXT NOT NULL,            -- what people know the row by
    -- 'look': sent without an answer, or changed there meanwhile; the row is looked at before anything is sent again
    state TEXT NOT NULL CHECK (state = 'waiting' OR state = 'look' OR state = 'parked' OR state = 'done'),
    attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '', -- why it is parked
    entered INTEGER NOT NULL,
    settled INTEGER
) STRICT;

CREATE INDEX outbox_open ON outbox (number) WHERE state <> 'done';
CREATE INDEX outbox_row ON outbox (tbl, id) WHERE state <> 'done';
