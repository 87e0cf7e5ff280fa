-- 46  Yes or no, by the industry of a company
--
-- is_accounting is YES for companies whose industry is Accounting, NO for all others, whenever the industry is written.
--
-- Needs: nothing.

CREATE FUNCTION industry(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF industry;
  ENROLL AGAIN;
BEGIN
  IF a.industry = 'Accounting' THEN
    SELECT set_property(a, 'is_accounting', 'YES');
  ELSE
    SELECT set_property(a, 'is_accounting', 'NO');
  END IF;
END $$;
