-- The global name of the pair to which a half is made; '' where nothing is made, and of what was made until now. Losing it means that
-- a half that is made while a listing does not show the other one can be taken for something new.
ALTER TABLE journal ADD COLUMN uid TEXT NOT NULL DEFAULT '';
