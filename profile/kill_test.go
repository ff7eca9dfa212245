package profile_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/profile"
	"github.com/trellis-go/trellis/profile/mongo"
	"github.com/trellis-go/trellis/profile/sqlite"
)

// victim is the store that this process, if it is a child of TestKill, works
// on until it is killed.
const victim = "TRELLIS_TEST_VICTIM"

func TestMain(m *testing.M) {
	if url := os.Getenv(victim); url != "" {
		if err := suffer(context.Background(), url); err != nil {
			fmt.Println(err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func openAt(ctx context.Context, url string) (profile.Store, error) {
	if file, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return sqlite.Open(ctx, file)
	}
	return mongo.Open(ctx, url)
}

// suffer works on what is due, tells when it is in the middle of an export, and
// never comes to its end.
func suffer(ctx context.Context, url string) error {
	store, err := openAt(ctx, url)
	if err != nil {
		return err
	}
	o := &others{hang: make(chan struct{}), hanging: make(chan struct{})}
	service, err := profile.NewService(ctx, store, o, o, profile.Config{Holders: []string{"notes"}, Memory: 64 << 20, Lease: 1e9})
	if err != nil {
		return err
	}
	go service.Run(ctx)
	<-o.hanging
	fmt.Println("hanging")
	select {}
}

// An export whose process is killed is done by another.
func TestKill(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(*testing.T) string{
		"sqlite": func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "profile.db") },
		"mongo":  func(t *testing.T) string { return testenv.Mongo(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := url(t)
			s, user := serve(t, testenv.Open(t, openAt, url)), uuid.New()
			j, err := s.StartExport(s.As(t, user))
			must(t, err)
			child := exec.CommandContext(t.Context(), os.Args[0])
			child.Env = append(os.Environ(), victim+"="+url)
			child.Stderr = os.Stderr
			out, err := child.StdoutPipe()
			must(t, err)
			must(t, child.Start())
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "hanging\n" {
				t.Fatalf("the child says %q, %v", line, err)
			}
			s.run(t)
			must(t, child.Process.Kill())
			if err := child.Wait(); err == nil {
				t.Error("the child ended by itself")
			} else if _, ok := errors.AsType[*exec.ExitError](err); !ok {
				t.Error(err)
			}
			s.status(t, user, j.ID, profile.Done)
		})
	}
}
