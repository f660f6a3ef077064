-- Why: files at tickets are uploaded, downloaded and removed; who sends a file that is refused stands in the log.
-- Kind: expand. Locks: ticket_attachment exclusively while its rows are checked; nothing has written to it yet.

alter table ticket_attachment
    add constraint ticket_attachment_file_name_check check (length(file_name) between 1 and 200),
    add constraint ticket_attachment_media_type_check check (length(media_type) between 3 and 100),
    add constraint ticket_attachment_storage_key_check check (storage_key ~ '^[0-9a-f-]{36}/[0-9a-f-]{36}$');

grant delete on ticket_attachment to youtility_web;
grant execute on function record_security_events(jsonb) to youtility_web;
