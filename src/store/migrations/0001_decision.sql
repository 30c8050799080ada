-- Tracked or not, and by which rule, for each item ever looked at. Losing it means that all are decided again, by the
-- rules of then; what is linked stays linked.
CREATE TABLE decision (
    class TEXT NOT NULL CHECK (class IN ('contact', 'task', 'appointment', 'email')),
    item TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('tracked', 'skipped', 'pending', 'failed')),
    rule TEXT NOT NULL,
    round INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (class, item)
) STRICT, WITHOUT ROWID;
