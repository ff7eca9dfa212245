package app

import (
	"context"
	"fmt"
	"net"

	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/email"
	"github.com/trellis-go/trellis/notify/mailbox"
)

// openMailer opens the mail server, or what takes its place.
func openMailer(env *server.Env, c config) (notify.Mailer, error) {
	writer := email.Writer{From: c.From, Web: string(c.WebURL)}
	if c.SMTP != "" {
		m, err := email.Open(c.SMTP, writer)
		if err != nil {
			return nil, fmt.Errorf("NOTIFY_SMTP: %w", err)
		}
		return m, nil
	}
	box, err := mailbox.Open(c.MailDir, writer)
	if err != nil {
		return nil, fmt.Errorf("NOTIFY_MAIL_DIR: %w", err)
	}
	l, err := net.Listen("tcp", string(c.MailAddr))
	if err != nil { // another instance's page shows the same folder
		_ = env.Logger.Log("level", "warn", "msg", "mails are kept, and no page shows them", "dir", c.MailDir, "err", err)
		return box, nil
	}
	_ = env.Logger.Log("level", "info", "msg", "no mail server: mails are kept", "dir", c.MailDir, "page", "http://"+l.Addr().String())
	env.Go(func(ctx context.Context) {
		if err := box.Serve(ctx, l); err != nil {
			_ = env.Logger.Log("level", "warn", "msg", "mailbox", "err", err)
		}
	})
	return box, nil
}
