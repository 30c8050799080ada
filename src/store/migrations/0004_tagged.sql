-- The messages that had the keyword of tracked ones when they were last looked at: from this, a person's setting or removing
-- it is told from never having had it. Losing it means that a removal that happens meanwhile is not noticed.
CREATE TABLE tagged (
    item TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
