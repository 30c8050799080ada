-- When each table was last brought up to date, and by which filters. It can be done again.
CREATE TABLE refresh (
    tbl TEXT NOT NULL PRIMARY KEY,
    filters TEXT NOT NULL,         -- JSON
    at INTEGER NOT NULL,
    broken TEXT NOT NULL           -- why not everything was seen; empty: all was
) STRICT, WITHOUT ROWID;
