-- SPDX-License-Identifier: MIT OR Apache-2.0
-- The store of the counts. "public" columns are published in the counts dataset, "private" ones never leave the server.
-- WITHOUT ROWID: rows lie in the order of their keys, so that no table remembers the order of arrival.

-- Beside these tables there is one `seen_N` for every open week number N, made and dropped whole by the program (seen.rs).

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY, -- private: "phase" or "open_from"
    value TEXT NOT NULL              -- private: production or testing; the number of the oldest week that is still open
) STRICT, WITHOUT ROWID;

-- How many reports were counted.
CREATE TABLE received (
    metric     TEXT    NOT NULL, -- public: the metric's id
    definition BLOB    NOT NULL, -- public: the 16 bytes of the definition's hash
    week       INTEGER NOT NULL, -- public: the week's number, 0 for the week of 1970-01-05
    reports    INTEGER NOT NULL, -- public: the number of reports
    PRIMARY KEY (metric, definition, week)
) STRICT, WITHOUT ROWID;

-- How many of them support each cell of the metric's mechanism.
CREATE TABLE counts (
    metric     TEXT    NOT NULL, -- public: the metric's id
    definition BLOB    NOT NULL, -- public: the 16 bytes of the definition's hash
    week       INTEGER NOT NULL, -- public: the week's number
    cell       INTEGER NOT NULL, -- public: the cell, from 0
    count      INTEGER NOT NULL, -- public: the reports that support it
    PRIMARY KEY (metric, definition, week, cell)
) STRICT, WITHOUT ROWID;
