-- Columns that the user and a colleague changed differently: what stands there stayed. Losing it loses the user's values.
CREATE TABLE collision (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    edit INTEGER NOT NULL,         -- the number in the outbox
    tbl TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    col TEXT NOT NULL,
    base TEXT NOT NULL,            -- JSON, as the next two
    ours TEXT NOT NULL,
    theirs TEXT NOT NULL,
    noted INTEGER NOT NULL,
    choice TEXT NOT NULL DEFAULT '' CHECK (choice = '' OR choice = 'mine' OR choice = 'theirs')
) STRICT;
