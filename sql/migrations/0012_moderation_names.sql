-- Moderation: spaces around what people type are no content any more, so nobody could name a rule or a list that has
-- them. Where the name without them is taken, or nothing is left of it, the id tells them apart.
UPDATE moderation.rules AS known
SET name = CASE
    WHEN found.plain = '' THEN 'rule ' || found.rule_id
    WHEN found.place > 1 THEN left(found.plain, 30) || ' ' || found.rule_id
    ELSE found.plain
END
FROM (
    SELECT rule_id, plain, row_number() OVER (PARTITION BY guild_id, plain ORDER BY name <> plain, rule_id) AS place
    FROM moderation.rules, regexp_replace(name, '^\s+|\s+$', '', 'g') AS plain
) AS found
WHERE found.rule_id = known.rule_id AND (known.name <> found.plain OR found.plain = '');

UPDATE moderation.domain_lists AS known
SET name = CASE
    WHEN found.plain = '' THEN 'list ' || found.list_id
    WHEN found.place > 1 THEN left(found.plain, 30) || ' ' || found.list_id
    ELSE found.plain
END
FROM (
    SELECT list_id, plain, row_number() OVER (PARTITION BY guild_id, plain ORDER BY name <> plain, list_id) AS place
    FROM moderation.domain_lists, regexp_replace(name, '^\s+|\s+$', '', 'g') AS plain
) AS found
WHERE found.list_id = known.list_id AND (known.name <> found.plain OR found.plain = '');
