-- What a message is called and what it refers to, four bytes each: short digests, by which those are found that something
-- concerns. A digest that two names share costs a look in vain. Losing them means that all messages are looked at once more.
ALTER TABLE decision ADD COLUMN names BLOB NOT NULL DEFAULT x'';

-- Messages over which the last word is not spoken, or that are to be filed.
CREATE INDEX decision_open ON decision (item) WHERE class = 'email' AND outcome <> 'skipped';

-- All are decided over once more: of those until now, the digests are not there.
DELETE FROM meta WHERE key = 'rules/email';
