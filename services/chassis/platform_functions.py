"""What a service may ask PostgreSQL to do with the administrator's rights, and nothing else.

Functions of the schema ``platform``, owned by the administrator: making and cutting partitions of an event log, cutting
what is old from an audit log, and seeing how long others have kept a transaction open. None waits long for a lock: what
waits for a strong lock holds up every command that comes after it.
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

CUT_AUDIT_LOG = """
CREATE OR REPLACE FUNCTION platform.cut_audit_log(log_schema text, before timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = '2s' AS $$
DECLARE
    -- Whatever is asked for: a year stays.
    until timestamptz := least(before, now() - interval '12 months');
    oldest timestamptz;
    cut bigint;
    kept integer;
BEGIN
    -- Once a week and not each hour: what follows looks at every row.
    EXECUTE format('SELECT a.at FROM %1$I.audit_seal s JOIN %1$I.audit_log a ON a.id = s.entry ORDER BY s.sequence LIMIT 1', log_schema)
        INTO oldest;
    IF oldest IS NULL OR oldest >= until - interval '7 days' THEN RETURN 0; END IF;
    -- Up to the link before the first that is to stay: a chain loses its beginning, never its middle.
    EXECUTE format('SELECT coalesce(min(s.sequence) - 1, (SELECT max(sequence) FROM %1$I.audit_seal)) FROM %1$I.audit_seal s'
        ' JOIN %1$I.audit_log a ON a.id = s.entry WHERE a.at >= $1', log_schema) INTO cut USING until;
    EXECUTE format('INSERT INTO %1$I.audit_cut (sequence, hash, cut_at) SELECT sequence, hash, now() FROM %1$I.audit_seal'
        ' WHERE sequence = $1 ON CONFLICT DO NOTHING', log_schema) USING cut;
    GET DIAGNOSTICS kept = ROW_COUNT;
    IF kept = 0 THEN RETURN 0; END IF;
    EXECUTE format('DELETE FROM %1$I.audit_log WHERE id IN (SELECT entry FROM %1$I.audit_seal WHERE sequence <= $1)', log_schema) USING cut;
    EXECUTE format('DELETE FROM %1$I.audit_seal WHERE sequence <= $1', log_schema) USING cut;
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

FUNCTIONS = (PREPARE_EVENT_LOG, CUT_EVENT_LOG, CUT_AUDIT_LOG, OLDEST_TRANSACTION)
