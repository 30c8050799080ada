-- The offline copy of one organisation's rows, as they last stood there. It can be fetched again, but for what the outbox was
-- made on: losing it makes every edit that waits meet the row without knowing what stood there.
CREATE TABLE row (
    number INTEGER PRIMARY KEY,
    tbl TEXT NOT NULL,             -- the logical name of the table
    id TEXT NOT NULL,
    version TEXT NOT NULL,         -- empty: the row was made here and is not there yet
    body TEXT NOT NULL,            -- JSON: values by column
    name TEXT NOT NULL,            -- what people know it by
    stale INTEGER NOT NULL DEFAULT 0, -- we wrote it: what the service made of it is not known yet
    UNIQUE (tbl, id)
) STRICT;

CREATE INDEX row_name ON row (tbl, name COLLATE NOCASE);
