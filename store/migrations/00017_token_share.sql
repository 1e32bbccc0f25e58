-- budget.pace is the distance of two requests, in microseconds, that Dixa lets
-- through while another program uses the token; refused_at is when Dixa last
-- answered 429. Both are 0 where it never did.

-- +goose Up

ALTER TABLE budget ADD COLUMN pace BIGINT NOT NULL DEFAULT 0;
ALTER TABLE budget ADD COLUMN refused_at BIGINT NOT NULL DEFAULT 0;

-- +goose Down

ALTER TABLE budget DROP COLUMN refused_at;
ALTER TABLE budget DROP COLUMN pace;
