"""What a service may ask PostgreSQL to do with the administrator's rights, and nothing else.

Functions of the schema ``platform``, owned by the administrator: making and cutting partitions of an event log, and
seeing how long others have kept a transaction open. None waits long for a lock: what waits for a strong lock holds
up every command that comes after it.
"""

PREPARE_EVENT_LOG = """
CREATE OR REPLACE FUNCTION platform.prepare_event_log(regency_schema text, month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = '2s' AS $$
DECLARE
    part text := 'event_log_' || to_char(month, 'YYYYMM');
    first text := date_trunc('month', month)::date || ' 00:00:00+00';
    beyond text := (date_trunc('month', month) + interval '1 month')::date || ' 00:00:00+00';
BEGIN
    IF to_regclass(format('%I.%I', regency_schema, part)) IS NOT NULL THEN RETURN false; END IF;
    EXECUTE format('CREATE TABLE %I.%I (LIKE %I.event_log INCLUDING ALL)', regency_schema, part, regency_schema);
    -- What happened before the month was prepared is in the default partition and moves along.
    EXECUTE format('LOCK TABLE %I.event_log_rest IN ACCESS EXCLUSIVE MODE', regency_schema);
    EXECUTE format(
        'WITH moved AS (DELETE FROM %I.event_log_rest WHERE time >= %L AND time < %L RETURNING *)'
        ' INSERT INTO %I.%I SELECT * FROM moved', regency_schema, first, beyond, regency_schema, part);
    EXECUTE format('ALTER TABLE %I.event_log ATTACH PARTITION %I.%I FOR VALUES FROM (%L) TO (%L)',
        regency_schema, regency_schema, part, first, beyond);
    RETURN true;
END $$
"""

CUT_EVENT_LOG = """
CREATE OR REPLACE FUNCTION platform.cut_event_log(regency_schema text, before date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = '2s' AS $$
DECLARE
    part text;
    cut integer := 0;
    -- Whatever is asked for: this month and the one before stay.
    until text := to_char(least(before, (date_trunc('month', now()) - interval '1 month')::date), 'YYYYMM');
BEGIN
    FOR part IN SELECT c.relname FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
        JOIN pg_namespace n ON n.oid = p.relnamespace
        WHERE n.nspname = regency_schema AND p.relname = 'event_log' AND c.relname ~ '^event_log_[0-9]{6}$'
          AND right(c.relname, 6) < until
    LOOP
        EXECUTE format('DROP TABLE %I.%I', regency_schema, part);
        cut := cut + 1;
    END LOOP;
    RETURN cut;
END $$
"""

OLDEST_TRANSACTION = """
CREATE OR REPLACE FUNCTION platform.oldest_transaction_age() RETURNS double precision
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::double precision
    FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
$$
"""

FUNCTIONS = (PREPARE_EVENT_LOG, CUT_EVENT_LOG, OLDEST_TRANSACTION)
