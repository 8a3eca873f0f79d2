CREATE TABLE members (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  town TEXT NOT NULL,
  joined TEXT NOT NULL, -- YYYY-MM-DD
  email TEXT -- NULL if there is none
);
CREATE TABLE tools (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL, -- lower case
  category TEXT NOT NULL, -- 'power', 'garden', 'hand' or 'access'
  day_fee REAL NOT NULL, -- euros
  deposit INTEGER NOT NULL, -- euros
  bought INTEGER NOT NULL, -- year
  in_repair INTEGER NOT NULL -- 1 or 0
);
CREATE TABLE loans (
  id INTEGER PRIMARY KEY,
  member_id INTEGER NOT NULL REFERENCES members (id),
  tool_id INTEGER NOT NULL REFERENCES tools (id),
  taken TEXT NOT NULL, -- YYYY-MM-DD
  due TEXT NOT NULL, -- YYYY-MM-DD
  returned TEXT -- YYYY-MM-DD, NULL while the tool is out
);
