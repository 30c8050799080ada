//! All questions of the set-up, in one table, so that none can be missing from a way to answer it.

/// A question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// The flag without its dashes, and the key in a file.
    pub(super) name: &'static str,
    /// The setting it becomes; `*` stands for the name of the organisation. Empty where it becomes none, or not only one.
    pub(super) setting: &'static str,
    /// What stands for the answer in the help.
    pub(super) value: &'static str,
    pub(super) help: &'static str,
}

const fn asked(
    name: &'static str,
    setting: &'static str,
    value: &'static str,
    help: &'static str,
) -> Asked {
    Asked { name, setting, value, help }
}

/// In the order in which they are asked.
pub(super) const QUESTIONS: [Asked; 59] = [
    asked("address", "mailbox.address", "ADDRESS", "Your e-mail address, as the CRM knows you"),
    asked("aliases", "", "ADDRESSES", "Your other addresses, with commas between them"),
    asked(
        "discover",
        "",
        "yes|no|URL",
        "Whether to look for your servers, or where they are described (in Thunderbird's format)",
    ),
    asked(
        "email",
        "mailbox.email.kind",
        "KIND",
        "Where your messages are: imap, pop3, maildir or none",
    ),
    asked("email-host", "mailbox.email.host", "NAME", "The mail server"),
    asked("email-port", "mailbox.email.port", "NUMBER", "Its port, where it is not the usual one"),
    asked(
        "email-security",
        "mailbox.email.security",
        "WORD",
        "tls, starttls, or none (on this machine)",
    ),
    asked("email-path", "mailbox.email.path", "DIR", "The folder of a Maildir"),
    asked("email-user", "mailbox.email.user", "NAME", "Who signs in at the mail server"),
    asked(
        "email-sign-in",
        "",
        "WAY",
        "How: keyring (a password), command (prints it), token (a command prints a bearer token), systemd or oauth",
    ),
    asked(
        "email-password-command",
        "mailbox.email.password.command",
        "COMMAND",
        "A command that prints the password of the mailbox",
    ),
    asked(
        "email-token-command",
        "mailbox.email.token.command",
        "COMMAND",
        "A command that prints a bearer token for the mailbox",
    ),
    asked(
        "email-credential",
        "mailbox.email.password.credential",
        "NAME",
        "The systemd credential with the password of the mailbox",
    ),
    asked(
        "email-ca",
        "mailbox.email.ca",
        "FILE",
        "Certificates (PEM) to trust for the mail server",
    ),
    asked(
        "email-pin",
        "mailbox.email.pin",
        "SHA256",
        "The one certificate of the mail server to trust",
    ),
    asked("contacts", "", "WHERE", "The address book: its address, a folder of vCards, or none"),
    asked(
        "contacts-user",
        "mailbox.contacts.user",
        "NAME",
        "Who signs in there, if not as for the messages",
    ),
    asked(
        "contacts-sign-in",
        "",
        "WAY",
        "How, if not as for the messages: keyring, command or oauth",
    ),
    asked(
        "contacts-password-command",
        "mailbox.contacts.password.command",
        "COMMAND",
        "A command that prints the password for it",
    ),
    asked("contacts-ca", "mailbox.contacts.ca", "FILE", "Certificates (PEM) to trust for it"),
    asked("contacts-pin", "mailbox.contacts.pin", "SHA256", "The one certificate to trust for it"),
    asked(
        "appointments",
        "",
        "WHERE",
        "The calendar of appointments: its address, a folder, or none",
    ),
    asked(
        "appointments-user",
        "mailbox.appointments.user",
        "NAME",
        "Who signs in there, if not as for the messages",
    ),
    asked(
        "appointments-sign-in",
        "",
        "WAY",
        "How, if not as for the messages: keyring, command or oauth",
    ),
    asked(
        "appointments-password-command",
        "mailbox.appointments.password.command",
        "COMMAND",
        "A command that prints the password for it",
    ),
    asked(
        "appointments-ca",
        "mailbox.appointments.ca",
        "FILE",
        "Certificates (PEM) to trust for it",
    ),
    asked(
        "appointments-pin",
        "mailbox.appointments.pin",
        "SHA256",
        "The one certificate to trust for it",
    ),
    asked("tasks", "", "WHERE", "The task list: its address, a folder, or none"),
    asked(
        "tasks-user",
        "mailbox.tasks.user",
        "NAME",
        "Who signs in there, if not as for the messages",
    ),
    asked("tasks-sign-in", "", "WAY", "How, if not as for the messages: keyring, command or oauth"),
    asked(
        "tasks-password-command",
        "mailbox.tasks.password.command",
        "COMMAND",
        "A command that prints the password for it",
    ),
    asked("tasks-ca", "mailbox.tasks.ca", "FILE", "Certificates (PEM) to trust for it"),
    asked("tasks-pin", "mailbox.tasks.pin", "SHA256", "The one certificate to trust for it"),
    asked(
        "send",
        "sync.email.send",
        "yes|no",
        "Whether e-mails that you send in the CRM are sent from here",
    ),
    asked(
        "submission-host",
        "mailbox.submission.host",
        "NAME",
        "The server that takes messages to be sent",
    ),
    asked(
        "submission-port",
        "mailbox.submission.port",
        "NUMBER",
        "Its port, where it is not the usual one",
    ),
    asked(
        "submission-security",
        "mailbox.submission.security",
        "WORD",
        "tls, starttls, or none (on this machine)",
    ),
    asked("submission-ca", "mailbox.submission.ca", "FILE", "Certificates (PEM) to trust for it"),
    asked(
        "submission-pin",
        "mailbox.submission.pin",
        "SHA256",
        "The one certificate to trust for it",
    ),
    asked(
        "organisation-discovery",
        "",
        "URL",
        "Who lists your organisations (Global Discovery), where it is none of the usual clouds",
    ),
    asked(
        "organisation-url",
        "organisation.*.url",
        "URL",
        "The address of the organisation, as in a browser",
    ),
    asked("organisation", "", "NAME", "What you call the organisation"),
    asked(
        "organisation-sign-in",
        "",
        "WAY",
        "How to sign in there: oauth, or command (prints a bearer token)",
    ),
    asked(
        "organisation-token-command",
        "organisation.*.auth.command",
        "COMMAND",
        "A command that prints a bearer token for the organisation",
    ),
    asked(
        "organisation-ca",
        "organisation.*.ca",
        "FILE",
        "Certificates (PEM) to trust for the organisation",
    ),
    asked(
        "organisation-pin",
        "organisation.*.pin",
        "SHA256",
        "The one certificate of the organisation to trust",
    ),
    asked(
        "oauth-tenant",
        "",
        "TENANT",
        "For oauth at Microsoft: a domain like contoso.onmicrosoft.com, or an id",
    ),
    asked("oauth-issuer", "", "URL", "For oauth at another provider: its address"),
    asked(
        "oauth-client-id",
        "",
        "ID",
        "For oauth: what the provider gave when Liaison was registered there",
    ),
    asked(
        "same-person",
        "",
        "yes|no",
        "Whether you are also the address by which the CRM knows its user",
    ),
    asked(
        "organisation-filters",
        "",
        "yes|no",
        "Whether the sync filters in the organisation count",
    ),
    asked(
        "filters-off",
        "",
        "NAMES",
        "Those of them that do not count here, with semicolons between them",
    ),
    asked(
        "track-contact",
        "sync.contact.track",
        "WORD",
        "Which contacts go to the CRM: manual, category or all",
    ),
    asked("track-task", "sync.task.track", "WORD", "Which tasks do"),
    asked("track-appointment", "sync.appointment.track", "WORD", "Which appointments do"),
    asked(
        "track-email",
        "sync.email.track",
        "WORD",
        "Which messages do: none, replies, known-senders, email-enabled or all",
    ),
    asked("claim", "", "yes|no", "Whether this computer is the one that syncs"),
    asked("approve", "", "yes|no", "Whether the first plan is carried out"),
    asked("start", "", "yes|no", "Whether the service is started, now and with each session"),
];
