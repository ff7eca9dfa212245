package notify

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/fault"
)

// While a user is online, email and push leave them this long to read what
// they were told in the inbox.
const (
	onlinePush  = time.Minute
	onlineEmail = 10 * time.Minute
)

// sendNotification sends what is in an inbox, unless there is a reason not to.
func (s *Sender) sendNotification(ctx context.Context, d Delivery) outcome {
	n, o := s.read(ctx, d)
	if o != nil {
		return *o
	}
	settings, err := s.service.settings.get(ctx, d.User)
	if err != nil {
		return after(err)
	}
	if wants := settings.For(n.Category); d.Channel == Email && !wants.Email || d.Channel == Push && !wants.Push {
		return skipped(turnedOff)
	}
	if n.Category != Security {
		if o := s.hold(ctx, d, n, settings); o != nil {
			return *o
		}
	}
	person, err := s.service.people.Person(ctx, d.User)
	switch {
	case fault.Of(err).Kind == fault.NotFound:
		return skipped("There is no such user.")
	case err != nil:
		return after(err)
	case person.Disabled:
		return skipped("The account is disabled.")
	case d.Channel == Push:
		return s.push(ctx, d, n)
	case person.Email == "":
		return skipped("You have no email address.")
	case !person.Verified:
		return skipped("Your email address is not verified.")
	}
	w := wordsFor(settings.Language)
	return s.mail(ctx, Mail{
		ID: d.ID, To: person.Email, Name: clip(person.Name, 80), Language: w.language,
		Subject: n.Title, Body: []string{n.Body}, Link: n.Link, Action: w.open, Footer: w.why,
	})
}

// read returns the notification to send, or why there is none to send.
func (s *Sender) read(ctx context.Context, d Delivery) (n Notification, o *outcome) {
	n, err := s.service.store.Notification(ctx, d.User, d.Notification)
	switch {
	case errors.Is(err, ErrNotFound):
		return n, new(skipped("It was deleted."))
	case err != nil:
		return n, new(after(err))
	}
	others, err := s.service.store.Deliveries(ctx, d.User, d.Notification)
	if err != nil {
		return n, new(after(err))
	}
	inInbox := true
	for _, other := range others {
		if other.Channel == d.Channel && later(other.ID, d.ID) {
			return n, new(skipped("A newer one took its place."))
		}
		if other.Channel == InApp {
			inInbox = other.State == Sent
		}
	}
	switch {
	case n.Category == Security: // whoever reads the inbox may not be who reads the mail
	case n.ReadAt != nil:
		return n, new(skipped("You have read it."))
	case n.SnoozedUntil != nil && n.SnoozedUntil.After(s.service.now()):
		return n, new(skipped("You put it off."))
	case n.SnoozedUntil != nil: // it could not be brought back yet, and this may be its push
		return n, new(putOff(backRetry, "It waits to be back in your inbox."))
	case n.ArchivedAt != nil && inInbox:
		return n, new(skipped("You archived it."))
	}
	return n, nil
}

// later tells whether an id was made after another. Of those that are not made
// from a time nobody knows.
func later(a, b uuid.UUID) bool {
	return a.Version() == 7 && b.Version() == 7 && bytes.Compare(a[:], b[:]) > 0
}

// hold returns why a delivery is put off, if it is.
func (s *Sender) hold(ctx context.Context, d Delivery, n Notification, settings Settings) *outcome {
	now := s.service.now()
	if end, quiet := settings.Quiet.End(now, settings.Zone()); quiet {
		return new(putOff(end.Sub(now), "It waits until your quiet hours end."))
	}
	until := n.CreatedAt.Add(onlinePush)
	if d.Channel == Email {
		until = n.CreatedAt.Add(onlineEmail)
	}
	if !now.Before(until) {
		return nil
	}
	online, err := s.service.store.IsPresent(ctx, d.User)
	switch {
	case err != nil:
		return new(after(err))
	case online:
		return new(putOff(until.Sub(now), "You are online: it is sent unless you read it meanwhile."))
	}
	return nil
}

// mail sends a mail.
func (s *Sender) mail(ctx context.Context, m Mail) outcome {
	if err := s.mailer.Send(ctx, m); err != nil {
		return after(err)
	}
	return outcome{state: Sent, tried: true}
}

// mailLink sends a mail with a link, whatever the user's settings are: they
// have just asked for it.
func (s *Sender) mailLink(ctx context.Context, d Delivery) outcome {
	settings, _ := s.service.settings.get(ctx, d.User)
	link, err := s.service.people.Link(ctx, d.User, d.Kind)
	switch f := fault.Of(err); {
	case err != nil && (f.Kind == fault.NotFound || f.Kind == fault.Gone || f.Kind == fault.Conflict || f.Kind == fault.Forbidden || f.Kind == fault.Invalid):
		return skipped(f.Message)
	case err != nil:
		return after(err)
	}
	w := wordsFor(settings.Language)
	text := w.verifyMail
	if d.Kind == ResetMail {
		text = w.resetMail
	}
	m := Mail{
		ID: d.ID, To: link.Email, Name: clip(link.Name, 80), Language: w.language,
		Subject: text.subject, Action: text.action, Footer: text.footer,
		Link: "/" + d.Kind + "#token=" + link.Token, // in the fragment, which reaches no server and so no log
	}
	if m.Name != "" {
		m.Body = append(m.Body, fill(w.hello, "name", m.Name))
	}
	m.Body = append(m.Body, fill(text.body, "when", w.when(link.Expires, settings.Zone())))
	return s.mail(ctx, m)
}
