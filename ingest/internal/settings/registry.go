package settings

import (
	"slices"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

// Names of the settings.
const (
	PasswordLength   = "password.length"
	PasswordClasses  = "password.classes"
	PasswordList     = "password.block_list"
	PasswordOwnWords = "password.own_words"
	PasswordHistory  = "password.history"
	SignInFailures   = "sign_in.failures"
	SignInWindow     = "sign_in.window_minutes"
	SignInLock       = "sign_in.lock_minutes"
	UseNotice        = "sign_in.notice"
	SessionIdle      = "session.idle_minutes"
	SessionAbsolute  = "session.absolute_hours"
	Networks         = "access.networks"
	RoleNetworks     = "access.role_networks"
	DormantDays      = "accounts.dormant_days"
	SessionRate      = "limits.session_per_minute"
	AddressRate      = "limits.address_per_minute"
	TLSMinimum       = "tls.minimum"
	SecurityContact  = "contact.security"
	WebhookNetworks  = "webhooks.networks"
	TokenDays        = "tokens.days"
	TokenRate        = "limits.token_per_minute"
	RoleClients      = "access.role_clients"
	TwoPeople        = "approvals.actions"
	RequestHours     = "approvals.hours"
	ExportFactor     = "export.fresh_factor"
	CodeGateway      = "codes.gateway"
	CodeMinutes      = "codes.minutes"
	CodesPerHour     = "codes.per_hour"
)

// Kind is how a setting's value is written.
type Kind string

// The kinds.
const (
	Number   Kind = "number"
	Switch   Kind = "switch"   // on or off
	Choice   Kind = "choice"   // one of Choices
	Text     Kind = "text"     // some lines
	Words    Kind = "words"    // one a line
	Prefixes Kind = "networks" // one network a line
	ByRole   Kind = "role_networks"
	Contacts Kind = "contacts" // one address a line
	ByClient Kind = "role_clients"
	Acts     Kind = "actions" // one a line, in the order of auth.Deeds
	Address  Kind = "address" // of HTTPS
)

// strength is which of two values is the stronger one.
type strength int

const (
	neither    strength = iota // it is a matter of taste
	higher                     // the higher number, on, the later choice
	lower                      // the lower number
	zeroHigher                 // the higher number, and 0 most of all
	zeroLower                  // the lower number, and 0 least of all
	given                      // something over nothing
	none                       // nothing over something
)

// Definition is a setting.
type Definition struct {
	Name    string
	Group   string // heading under which it stands
	Title   string
	Help    string // what it does, in plain words
	Kind    Kind
	Unit    string   // of a number
	Min     int64    // of a number, or characters of a text
	Max     int64    // as Min
	Zero    string   // what 0 means, where it is more than none
	Choices []string // weakest first
	Default string
	Why     string // where default or bounds come from
	strong  strength
}

// All returns the settings, in the order in which they are shown.
func All() []Definition { return slices.Clone(registry) }

// Find returns a setting; false where there is none of the name.
func Find(name string) (Definition, bool) {
	i := slices.IndexFunc(registry, func(d Definition) bool { return d.Name == name })
	if i < 0 {
		return Definition{}, false
	}
	return registry[i], true
}

var registry = []Definition{
	{Name: PasswordLength, Group: "Passwords", Title: "Shortest password", Kind: Number, Unit: "characters", Min: auth.ShortWithFactor, Max: 64, Default: "15", strong: higher,
		Help: "How many characters a new password needs at least. Fewer than 15 only while a second factor is required of everyone, at each sign-in and from the first on.", Why: "NIST SP 800-63B-4, CJIS IA-5(1): 15 where a password stands alone, 8 with a second factor"},
	{Name: PasswordList, Group: "Passwords", Title: "Refuse common passwords", Kind: Switch, Default: "on", strong: higher,
		Help: "Whether passwords on the list of common ones, repetitions and rows of keys are refused.", Why: "NIST SP 800-63B-4, CJIS IA-5(1)"},
	{Name: PasswordOwnWords, Group: "Passwords", Title: "Words that do not count", Kind: Words, Max: 200, Default: "", strong: given,
		Help: "Words that people here would use first: the town, the station, the team. They do not count as characters of a password. One a line, of three characters or more."},
	{Name: PasswordClasses, Group: "Passwords", Title: "Kinds of characters", Kind: Number, Unit: "kinds", Min: 0, Max: 4, Default: "0", strong: higher,
		Help: "How many of these a password must have: lower-case letters, capitals, digits, spaces and signs.", Why: "NIST SP 800-63B-4 advises against such rules; some agencies must have them"},
	{Name: PasswordHistory, Group: "Passwords", Title: "Former passwords refused", Kind: Number, Unit: "passwords", Min: 0, Max: 24, Default: "10", strong: higher,
		Help: "How many of a person’s last passwords may not come back."},

	{Name: SignInFailures, Group: "Sign-in", Title: "Refused sign-ins before the lock", Kind: Number, Unit: "tries", Min: 3, Max: 10, Default: "5", strong: lower,
		Help: "How many wrong passwords lock an account’s password. The next try fails even with the right one.", Why: "CJIS AC-7: 5"},
	{Name: SignInWindow, Group: "Sign-in", Title: "Time in which they count", Kind: Number, Unit: "minutes", Min: 5, Max: 1440, Default: "15", strong: higher,
		Help: "Refused sign-ins that are longer ago do not count any more.", Why: "CJIS AC-7: 15 minutes"},
	{Name: SignInLock, Group: "Sign-in", Title: "Length of the lock", Kind: Number, Unit: "minutes", Min: 0, Max: 10080, Zero: "until an administrator releases it", Default: "0", strong: zeroHigher,
		Help: "After so many minutes a locked account takes its password again. 0: not before an administrator has released it.", Why: "CJIS AC-7: until released"},
	{Name: UseNotice, Group: "Sign-in", Title: "Use notice", Kind: Text, Max: 4000, Default: "", strong: given,
		Help: "Shown before sign-in, and to be accepted by whoever signs in: who owns the system, that its use is watched and recorded, and what misuse leads to. That it was accepted is on record.", Why: "CJIS AC-8"},

	{Name: CodeGateway, Group: "Codes by phone", Title: "Gateway for SMS and calls", Kind: Address, Max: 1000, Default: "", strong: none,
		Help: "With an address here, people who manage nothing may have codes sent to their phone as a second factor. The weakest there is: messages and calls can be intercepted, and numbers taken over. The address is told each code, signed like a webhook, and webhooks.networks counts for it. Nothing: no codes are sent, and phones count for nothing.", Why: "NIST SP 800-63B-4: a restricted authenticator; VoIP numbers and e-mail do not satisfy CJIS"},
	{Name: CodeMinutes, Group: "Codes by phone", Title: "Life of a code", Kind: Number, Unit: "minutes", Min: 1, Max: 10, Default: "5", strong: lower,
		Help: "After so many minutes a code that was sent is not taken any more. One that belongs to a sign-in ends with it, after 5.", Why: "NIST SP 800-63B-4: 10 at most"},
	{Name: CodesPerHour, Group: "Codes by phone", Title: "Codes within an hour", Kind: Number, Unit: "codes", Min: 1, Max: 1000, Default: "60", strong: lower,
		Help: "How many the whole agency has sent at most, against toll fraud. One person and one number have five."},

	{Name: SessionIdle, Group: "Sessions", Title: "End without use", Kind: Number, Unit: "minutes", Min: 1, Max: 60, Default: "30", strong: lower,
		Help: "A session that nobody uses ends after so many minutes.", Why: "CJIS AC-11: 30 minutes"},
	{Name: SessionAbsolute, Group: "Sessions", Title: "End in any case", Kind: Number, Unit: "hours", Min: 1, Max: 24, Default: "12", strong: lower,
		Help: "Every session ends after so many hours, and its person signs in anew. Those that have begun end by it too.", Why: "CJIS IA-11: 12 hours"},

	{Name: Networks, Group: "Networks", Title: "Allowed networks", Kind: Prefixes, Max: 200, Default: "", strong: given,
		Help: "From where people may come: one network a line, as 10.20.0.0/16 or 2001:db8::/32. Nothing: from everywhere. Docks are not asked. A list without the place that you are in is refused; on the server, sealdock-ingest settings unset access.networks opens it again."},
	{Name: RoleNetworks, Group: "Networks", Title: "Allowed networks by role", Kind: ByRole, Max: 200, Default: "", strong: given,
		Help: "From where the people of one role may come, inside the allowed networks: one network a line behind the role, as administrator 10.20.5.0/24. A role without a line may come from all allowed networks."},

	{Name: TokenDays, Group: "Programs", Title: "Longest life of a token", Kind: Number, Unit: "days", Min: 1, Max: 365, Default: "90", strong: lower,
		Help: "People make tokens on their account, with which programs ask the API in their name. None lives longer than this, those made before neither."},
	{Name: RoleClients, Group: "Programs", Title: "Limits by role and program", Kind: ByClient, Max: 50, Default: "", strong: given,
		Help: "How far a role may go with a kind of program: a line as officer api nothing, or auditor api look for what changes nothing. Kinds are api and mobile, as a token says what it is for; * stands for every role. Browsers are not limited here."},

	{Name: TwoPeople, Group: "Two people", Title: "Acts that take a second person", Kind: Acts, Max: 50, Default: "", strong: given,
		Help: "Whoever asks for one of these waits until somebody else, who may do the same, has approved it. One action a line, as evidence.download. Taking one off is weaker, and takes two people itself. Work on keys always takes two."},
	{Name: RequestHours, Group: "Two people", Title: "How long a request waits", Kind: Number, Unit: "hours", Min: 1, Max: 720, Default: "72", strong: lower,
		Help: "What nobody has approved or refused by then has lapsed, and has to be asked for again."},
	{Name: ExportFactor, Group: "Two people", Title: "Fresh factor before exports", Kind: Choice, Choices: []string{auth.ExportFree, auth.ExportPeople, auth.ExportNoTokens}, Default: auth.ExportPeople, strong: higher,
		Help: "Whether a factor must have been shown within the last 5 minutes before recordings, packages, clips or parts of the record are taken away. people: by people; programs go by the scopes of their token. everyone: tokens take nothing away. off: nobody is asked."},

	{Name: DormantDays, Group: "Accounts", Title: "Disable unused accounts after", Kind: Number, Unit: "days", Min: 0, Max: 365, Zero: "never", Default: "90", strong: zeroLower,
		Help: "An account that nobody has signed in to for so many days is disabled; whoever manages people enables it again. The last account of the server’s own that manages people stays. 0: none is disabled.", Why: "CJIS AC-2(3): 90 days"},

	{Name: SessionRate, Group: "Limits", Title: "Requests of one session", Kind: Number, Unit: "a minute", Min: 60, Max: 6000, Default: "600", strong: lower,
		Help: "Whoever asks more often is told to wait. People reach a tenth of the default; programs may need more."},
	{Name: AddressRate, Group: "Limits", Title: "Requests of one address", Kind: Number, Unit: "a minute", Min: 300, Max: 60000, Default: "3000", strong: lower,
		Help: "As above, for all that comes from one address: where a station’s people share one, it is for all of them."},

	{Name: TokenRate, Group: "Limits", Title: "Requests of one token", Kind: Number, Unit: "a minute", Min: 60, Max: 6000, Default: "600", strong: lower,
		Help: "A program that asks the API more often is told to wait."},

	{Name: TLSMinimum, Group: "Connections", Title: "Oldest TLS", Kind: Choice, Choices: []string{"1.2", "1.3"}, Default: "1.3", strong: higher,
		Help: "The oldest version of TLS that browsers and programs may use. Docks always use 1.3. Browsers from before 2019 need 1.2.", Why: "1.2 is the oldest that is taken at all, with forward secrecy alone"},

	{Name: WebhookNetworks, Group: "Webhooks", Title: "Inside networks that webhooks may reach", Kind: Prefixes, Max: 20, Default: "", strong: none,
		Help: "Webhooks go to public addresses alone, so that nobody makes this server knock at what is inside. A receiver that stands inside needs its network here: one a line, as small as it can be, as 10.20.7.15/32."},

	{Name: SecurityContact, Group: "Contact", Title: "Contact for security", Kind: Contacts, Max: 5, Default: "", strong: given,
		Help: "Whom people tell of a hole or a misused account: one address a line, as mailto:security@example.org, https://example.org/report or tel:+1-201-555-0123. It stands in /.well-known/security.txt, and as a link in each page.", Why: "RFC 9116"},
}
