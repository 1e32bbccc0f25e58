-- Instructions are what is to be done in a claim's conversation, one after
-- another. Columns of type BYTEA are sealed.

-- +goose Up

CREATE TABLE instructions (
    shop       TEXT NOT NULL,
    claim_id   TEXT NOT NULL,
    id         TEXT NOT NULL,
    number     BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    body       BYTEA NOT NULL,
    asked_by   TEXT NOT NULL,
    state      TEXT NOT NULL,
    why        TEXT NOT NULL DEFAULT '',
    result     TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    done_at    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (shop, claim_id, id),
    UNIQUE (shop, claim_id, number),
    FOREIGN KEY (shop, claim_id) REFERENCES claims (shop, id) ON DELETE CASCADE
);
CREATE INDEX instructions_waiting ON instructions (shop, claim_id, number) WHERE state = 'waiting';

-- +goose Down

DROP TABLE instructions;
