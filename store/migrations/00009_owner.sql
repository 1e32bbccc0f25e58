-- What a claim's owner says of it after it was accepted. claims.body stays what
-- was accepted first; edited is what its conversation is opened from, where the
-- owner changed it before, and latest what the owner said last, where that came
-- after. body_revision counts the edits. judge_due says that the status rules are
-- to be asked anew. Columns of type BYTEA are sealed.
--
-- owner_inbox holds what Karla told by webhooks, once for ever; the body is NULL
-- once it was dropped. Its state is waiting, applied, ignored or invalid. An empty
-- shop in owner_secrets is the platform.

-- +goose Up

ALTER TABLE claims ADD COLUMN edited BYTEA;
ALTER TABLE claims ADD COLUMN latest BYTEA;
ALTER TABLE claims ADD COLUMN body_revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE claims ADD COLUMN owner_updated_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE claims ADD COLUMN judge_due BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE instructions ADD COLUMN wrote BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE owner_inbox (
    shop         TEXT NOT NULL,
    event_id     TEXT NOT NULL,
    ref          TEXT NOT NULL,
    claim_id     TEXT NOT NULL,
    state        TEXT NOT NULL,
    why          TEXT NOT NULL DEFAULT '',
    triggered_at BIGINT NOT NULL,
    received_at  BIGINT NOT NULL,
    handled_at   BIGINT NOT NULL DEFAULT 0,
    body         BYTEA,
    PRIMARY KEY (shop, event_id)
);
CREATE INDEX owner_inbox_waiting ON owner_inbox (received_at) WHERE state = 'waiting';
CREATE INDEX owner_inbox_handled ON owner_inbox (handled_at) WHERE body IS NOT NULL AND handled_at > 0;
CREATE INDEX owner_inbox_newest ON owner_inbox (shop, received_at);

CREATE TABLE owner_secrets (
    shop        TEXT PRIMARY KEY,
    secret      BYTEA NOT NULL,
    preview     TEXT NOT NULL,
    previous    BYTEA,
    replaced_at BIGINT NOT NULL DEFAULT 0,
    updated_at  BIGINT NOT NULL
);

-- +goose Down

DROP TABLE owner_secrets;
DROP TABLE owner_inbox;
ALTER TABLE instructions DROP COLUMN wrote;
ALTER TABLE claims DROP COLUMN judge_due;
ALTER TABLE claims DROP COLUMN owner_updated_at;
ALTER TABLE claims DROP COLUMN body_revision;
ALTER TABLE claims DROP COLUMN latest;
ALTER TABLE claims DROP COLUMN edited;
