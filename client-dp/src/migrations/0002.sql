-- SPDX-License-Identifier: MIT OR Apache-2.0
-- Which text was agreed to, what is opted out of, and what a restored copy does not know.

-- The version of the text that the yes was given to; empty without a yes.
ALTER TABLE workstation ADD COLUMN consent_text TEXT NOT NULL DEFAULT '';
-- Lines of the ledger that are known to have been written after the copy that this state was restored from.
ALTER TABLE workstation ADD COLUMN unseen INTEGER NOT NULL DEFAULT 0;

-- Metrics, by id, and whole categories that the user switched off. Their slots are answered as if nothing had happened.
CREATE TABLE opt_out (
    name TEXT PRIMARY KEY
) WITHOUT ROWID;
