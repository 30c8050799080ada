-- What each rule said, a letter each, and the record of the message that this one answers. Losing it loses an explanation.
ALTER TABLE decision ADD COLUMN looked TEXT NOT NULL DEFAULT '';
ALTER TABLE decision ADD COLUMN parent TEXT NOT NULL DEFAULT '';
