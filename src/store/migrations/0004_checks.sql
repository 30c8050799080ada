-- Of a list of three values or more SQLite makes a table for each statement that checks against it: most of what storing a row
-- cost. The same checks word by word; what is stored stays as it is, and conforms.
PRAGMA writable_schema = ON;

UPDATE sqlite_schema SET sql = replace(sql,
    'CHECK (class IN (''contact'', ''task'', ''appointment'', ''email''))',
    'CHECK (class = ''contact'' OR class = ''task'' OR class = ''appointment'' OR class = ''email'')')
WHERE type = 'table';

UPDATE sqlite_schema SET sql = replace(sql,
    'CHECK (outcome IN (''tracked'', ''skipped'', ''pending'', ''failed''))',
    'CHECK (outcome = ''tracked'' OR outcome = ''skipped'' OR outcome = ''pending'' OR outcome = ''failed'')')
WHERE name = 'decision';

UPDATE sqlite_schema SET sql = replace(sql,
    'CHECK (gone IN ('''', ''mailbox'', ''crm''))',
    'CHECK (gone = '''' OR gone = ''mailbox'' OR gone = ''crm'')')
WHERE name = 'link';

UPDATE sqlite_schema SET sql = replace(replace(sql,
    'CHECK (action IN (''create'', ''update'', ''delete'', ''mark''))',
    'CHECK (action = ''create'' OR action = ''update'' OR action = ''delete'' OR action = ''mark'')'),
    'CHECK (outcome IN (''intended'', ''done'', ''refused'', ''unknown'', ''parked''))',
    'CHECK (outcome = ''intended'' OR outcome = ''done'' OR outcome = ''refused'' OR outcome = ''unknown'' OR outcome = ''parked'')')
WHERE name = 'journal';

PRAGMA writable_schema = RESET;
