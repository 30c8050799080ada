-- What the organisation's tables look like, for checking what is entered without it. It can be asked again.
CREATE TABLE definition (
    tbl TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL,            -- JSON
    asked INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
