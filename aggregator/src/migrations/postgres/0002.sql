-- SPDX-License-Identifier: MIT OR Apache-2.0
-- Which counts of other stores were added to this one, so that none is added twice. The store's own name is in `meta`, under "id".

CREATE TABLE stipple.imports (
    source text    NOT NULL,
    week   integer NOT NULL,
    PRIMARY KEY (source, week)
);
COMMENT ON TABLE stipple.imports IS 'weeks whose counts were added from other stores';
COMMENT ON COLUMN stipple.imports.source IS 'public: the random name of the store that counted';
COMMENT ON COLUMN stipple.imports.week IS 'public: a week of which its counts were added';

COMMENT ON COLUMN stipple.meta.key IS 'private: "phase", "open_from", "schema" or "id"';
COMMENT ON COLUMN stipple.meta.value IS 'private: production or testing; the number of the oldest open week; the number of the last migration; the store''s random name, which a dataset tells';
INSERT INTO stipple.meta VALUES ('id', replace(gen_random_uuid()::text, '-', ''));

-- The planner's statistics are samples of the rows, kept in a table of the server's: it is to have none of ours.
ALTER TABLE stipple.received ALTER COLUMN metric SET STATISTICS 0, ALTER COLUMN definition SET STATISTICS 0,
    ALTER COLUMN week SET STATISTICS 0, ALTER COLUMN reports SET STATISTICS 0;
ALTER TABLE stipple.counts ALTER COLUMN metric SET STATISTICS 0, ALTER COLUMN definition SET STATISTICS 0,
    ALTER COLUMN week SET STATISTICS 0, ALTER COLUMN cell SET STATISTICS 0, ALTER COLUMN count SET STATISTICS 0;
