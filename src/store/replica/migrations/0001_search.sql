-- The words of all rows, by `row.number`. It can be made again from the rows.
CREATE VIRTUAL TABLE search USING fts5 (
    name, words,
    content = '', contentless_delete = 1,
    tokenize = 'unicode61 remove_diacritics 2',
    prefix = '2 3'
);
