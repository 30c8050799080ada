-- When an item that is set aside is tried again by itself, in microseconds since 1970; NULL: not before it changes.
ALTER TABLE quarantine ADD COLUMN due INTEGER;

CREATE INDEX quarantine_due ON quarantine (class, due) WHERE due IS NOT NULL;
