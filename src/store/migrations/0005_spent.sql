-- What was asked of each organisation on each day (UTC), against what its licence allows. Losing it means that the count of the
-- day begins anew.
CREATE TABLE spent (
    organisation TEXT NOT NULL,
    day TEXT NOT NULL,           -- 2026-03-01
    requests INTEGER NOT NULL,
    operations INTEGER NOT NULL,
    PRIMARY KEY (organisation, day)
) STRICT, WITHOUT ROWID;
