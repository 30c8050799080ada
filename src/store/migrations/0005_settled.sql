-- How many links a settled class has: to count them in every quiet round would cost the more the more there are. Whatever changes
-- a link unsettles.
DELETE FROM settled;
ALTER TABLE settled ADD COLUMN linked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE settled ADD COLUMN released INTEGER NOT NULL DEFAULT 0;
