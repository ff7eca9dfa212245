package notify

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// words are all texts that users get, in one language. Braces are filled in.
type words struct {
	language string

	welcome, tokenReused, newDevice, passwordChanged, passwordReset,
	sharedToRead, sharedToEdit, reminder, exportReady, erasureScheduled, erasureCanceled line

	verifyMail, resetMail mailWords

	open     string // the button of a mail about something in the inbox
	why      string // its footer
	hello    string // before a name
	somebody string
	untitled string
	unknown  string // device
	onSystem string
	date     string
	months   [12]string
}

// line is a notification.
type line struct{ title, body string }

// mailWords are a mail that is in no inbox.
type mailWords struct{ subject, body, action, footer string }

var english = words{
	language: "en",
	welcome:  line{"Welcome to Trellis", "Your account is ready. Write your first note, and it is there on every device you log in on."},
	tokenReused: line{"We ended one of your sessions", "A key that keeps you logged in was used by two programs, so one of them may not be yours. " +
		"We ended that session: {device}, address {ip}, {when}. Log in again there if it was you. If not, change your password."},
	newDevice: line{"New login: {device}", "Somebody logged in to your account from a new device: {device}, address {ip}, {when}. " +
		"If that was you, all is well. If not, end that session and change your password."},
	passwordChanged: line{"Your password was changed", "This happened on {when}. Your other sessions were ended. If it was not you, ask for a new password at once."},
	passwordReset:   line{"Your password was set anew", "This happened on {when}, with a link that was sent to your email address. All sessions were ended. If it was not you, ask for a new password at once."},
	sharedToRead:    line{"{name} shared “{title}” with you", "You can read it."},
	sharedToEdit:    line{"{name} shared “{title}” with you", "You can read and change it."},
	reminder:        line{"Reminder: {title}", "You wanted to be reminded of this note now."},
	exportReady:     line{"Your data is ready", "You can now download everything we keep of you."},
	erasureScheduled: line{"Your account will be erased", "You asked us to erase your account and all that is in it. That will happen on {when}. " +
		"Until then you can take it back: log in and restore your account."},
	erasureCanceled: line{"Your account stays", "You took back that your account be erased. Nothing was lost."},

	verifyMail: mailWords{"Confirm your email address", "Please confirm that this is your email address. The link is good until {when}.", "Confirm address",
		"You get this because somebody opened a Trellis account with this address, or asked for this link. If that was not you, do nothing."},
	resetMail: mailWords{"Set a new password", "Somebody asked for a new password for your account. If it was you, set one now. The link is good until {when}.", "Set a new password",
		"If it was not you, do nothing: your password stays as it is."},

	open: "Open in Trellis", why: "You can choose in your Trellis settings of what we send you mail.", hello: "Hello {name},",
	somebody: "Somebody", untitled: "Untitled note", unknown: "an unknown device", onSystem: "{browser} on {system}",
	date:   "{day} {month} {year}, {time}",
	months: [12]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
}

var polish = words{
	language: "pl",
	welcome:  line{"Witaj w Trellis", "Twoje konto jest gotowe. Napisz pierwszą notatkę, a znajdziesz ją na każdym urządzeniu, na którym się zalogujesz."},
	tokenReused: line{"Zakończyliśmy jedną z Twoich sesji", "Klucza, dzięki któremu pozostajesz zalogowany, użyły dwa programy, więc jeden z nich może nie należeć do Ciebie. " +
		"Zakończyliśmy tę sesję: {device}, adres {ip}, {when}. Jeśli to Ty, zaloguj się tam ponownie. Jeśli nie, zmień hasło."},
	newDevice: line{"Nowe logowanie: {device}", "Ktoś zalogował się na Twoje konto z nowego urządzenia: {device}, adres {ip}, {when}. " +
		"Jeśli to Ty, wszystko w porządku. Jeśli nie, zakończ tę sesję i zmień hasło."},
	passwordChanged: line{"Twoje hasło zostało zmienione", "Stało się to {when}. Pozostałe sesje zostały zakończone. Jeśli to nie Ty, natychmiast poproś o nowe hasło."},
	passwordReset:   line{"Twoje hasło zostało ustawione na nowo", "Stało się to {when}, za pomocą linku wysłanego na Twój adres e-mail. Wszystkie sesje zostały zakończone. Jeśli to nie Ty, natychmiast poproś o nowe hasło."},
	sharedToRead:    line{"{name} udostępnia Ci notatkę „{title}”", "Możesz ją czytać."},
	sharedToEdit:    line{"{name} udostępnia Ci notatkę „{title}”", "Możesz ją czytać i zmieniać."},
	reminder:        line{"Przypomnienie: {title}", "O tej notatce mieliśmy Ci teraz przypomnieć."},
	exportReady:     line{"Twoje dane są gotowe", "Możesz teraz pobrać wszystko, co o Tobie przechowujemy."},
	erasureScheduled: line{"Twoje konto zostanie usunięte", "Na Twoją prośbę usuniemy konto i wszystko, co się w nim znajduje. Nastąpi to {when}. " +
		"Do tego czasu możesz to cofnąć: zaloguj się i przywróć konto."},
	erasureCanceled: line{"Twoje konto pozostaje", "Usunięcie konta zostało odwołane. Nic nie przepadło."},

	verifyMail: mailWords{"Potwierdź swój adres e-mail", "Potwierdź, że to Twój adres e-mail. Link jest ważny do: {when}.", "Potwierdź adres",
		"Otrzymujesz tę wiadomość, bo ktoś założył konto Trellis z tym adresem albo poprosił o ten link. Jeśli to nie Ty, nic nie rób."},
	resetMail: mailWords{"Ustaw nowe hasło", "Ktoś poprosił o nowe hasło do Twojego konta. Jeśli to Ty, ustaw je teraz. Link jest ważny do: {when}.", "Ustaw nowe hasło",
		"Jeśli to nie Ty, nic nie rób: Twoje hasło pozostanie bez zmian."},

	open: "Otwórz w Trellis", why: "W ustawieniach Trellis możesz wybrać, o czym piszemy do Ciebie e-maile.", hello: "Witaj, {name}!",
	somebody: "Ktoś", untitled: "Notatka bez tytułu", unknown: "nieznane urządzenie", onSystem: "{browser}, {system}",
	date:   "{day} {month} {year}, {time}",
	months: [12]string{"stycznia", "lutego", "marca", "kwietnia", "maja", "czerwca", "lipca", "sierpnia", "września", "października", "listopada", "grudnia"},
}

// wordsFor returns the words of a locale such as "pl-PL", or English ones.
func wordsFor(locale string) *words {
	language, _, _ := strings.Cut(strings.ReplaceAll(locale, "_", "-"), "-")
	if strings.EqualFold(language, polish.language) {
		return &polish
	}
	return &english
}

// say fills in pairs of names and values. A title has one line and, as the
// API bounds them, 200 characters.
func (l line) say(pairs ...string) (title, body string) {
	return clip(fill(l.title, pairs...), 200), fill(l.body, pairs...)
}

// fill fills in pairs of names and values; a value is not looked into again.
func fill(text string, pairs ...string) string {
	replace := make([]string, len(pairs))
	for i, p := range pairs {
		if replace[i] = p; i%2 == 0 {
			replace[i] = "{" + p + "}"
		}
	}
	return strings.NewReplacer(replace...).Replace(text)
}

// when tells a time of the user's clock and calendar.
func (w *words) when(t time.Time, zone *time.Location) string {
	t = t.In(zone)
	return fill(w.date, "day", fmt.Sprint(t.Day()), "month", w.months[t.Month()-1], "year", fmt.Sprint(t.Year()), "time", t.Format("15:04 MST"))
}

// note is what a note is called.
func (w *words) note(title string) string { return cmp.Or(clip(title, 120), w.untitled) }

// clip makes one line of at most max characters of a user's text.
func clip(text string, max int) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar || unicode.Is(unicode.Bidi_Control, r)
	}), " ")
	if runes := []rune(text); len(runes) > max {
		return strings.TrimSpace(string(runes[:max-1])) + "…"
	}
	return text
}

var (
	browsers = [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}}
	systems  = [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}}
)

// device names a device by its User-Agent, as far as that tells.
func (w *words) device(agent string) string {
	find := func(table [][2]string) string {
		for _, entry := range table {
			if strings.Contains(agent, entry[0]) {
				return entry[1]
			}
		}
		return ""
	}
	browser, system := find(browsers), find(systems)
	switch {
	case browser != "" && system != "":
		return fill(w.onSystem, "browser", browser, "system", system)
	case browser+system != "":
		return browser + system
	}
	product, _, _ := strings.Cut(agent, "/")
	return cmp.Or(clip(product, 40), w.unknown)
}
