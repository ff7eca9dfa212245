package testenv

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestDatabasesAreSeparate(t *testing.T) {
	t.Parallel()
	one, two := Postgres(t), Postgres(t)
	if err := execute(t.Context(), one, "CREATE TABLE notes (id int)"); err != nil {
		t.Fatal(err)
	}
	const count = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
	for url, want := range map[string]int{one: 1, two: 0} {
		if got, err := query[int](t.Context(), url, count); err != nil || got != want {
			t.Errorf("%s: %d tables, %v; want %d", url, got, err, want)
		}
	}
}

func TestDatabaseIsDropped(t *testing.T) {
	t.Parallel()
	skipIfShort(t, "PostgreSQL")
	var url string
	t.Run("the user", func(t *testing.T) {
		url = Postgres(t)
		conn, err := pgx.Connect(t.Context(), url) // and never closed
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := query[int](t.Context(), url, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("the database after its test: %v", err)
	}
}

func TestPauseHoldsOpenConnections(t *testing.T) {
	t.Parallel()
	s := PostgresServer(t)
	conn, err := pgx.Connect(t.Context(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() { answer <- conn.Ping(t.Context()) }()
	family, err := children(s.process.pid)
	if err != nil || len(family) == 0 {
		t.Fatalf("the server's children: %v, %v", family, err)
	}
	for _, pid := range append(family, s.process.pid) {
		Eventually(t, fmt.Sprintf("process %d has stopped, or had ended", pid), func() bool {
			state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
			return err == nil && strings.ContainsAny(string(state[:1]), "TZ")
		})
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; err != nil {
		t.Error(err)
	}
}

func TestDataSurvives(t *testing.T) {
	t.Parallel()
	s := PostgresServer(t)
	if err := execute(t.Context(), s.URL, "CREATE TABLE notes AS SELECT 7 AS id"); err != nil {
		t.Fatal(err)
	}
	for _, how := range []func() error{s.Restart, func() error {
		if err := s.Kill(); err != nil {
			return err
		}
		return s.Restart()
	}} {
		if err := how(); err != nil {
			t.Fatal(err)
		}
		if got, err := query[int](t.Context(), s.URL, "SELECT id FROM notes"); err != nil || got != 7 {
			t.Errorf("got %d, %v", got, err)
		}
	}
}

func TestKilledLeavesNoSharedMemory(t *testing.T) {
	t.Parallel()
	s := PostgresServer(t)
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	segment := sharedMemory(s.Dir)
	if segment == "" {
		t.Fatal("postmaster.pid names no segment")
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	segments, err := exec.Command("ipcs", "-m").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(segments)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[1] == segment {
			t.Errorf("segment is there: %s", line)
		}
	}
}

func TestKeptDirectory(t *testing.T) {
	t.Parallel()
	skipIfShort(t, "PostgreSQL")
	dir := filepath.Join(openDir(t), "with space", "postgres")
	if err := os.Mkdir(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	port, err := choosePort(0)
	if err != nil {
		t.Fatal(err)
	}
	for run := range 2 {
		s, err := StartPostgres(t.Context(), dir, port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Stop() })
		if want := "127.0.0.1:" + strconv.Itoa(port); s.Addr != want {
			t.Errorf("at %s, want %s", s.Addr, want)
		}
		if fsync, err := query[string](t.Context(), s.URL, "SHOW fsync"); err != nil || fsync != "on" {
			t.Errorf("fsync is %s, %v", fsync, err)
		}
		if run == 0 {
			if err := execute(t.Context(), s.URL, "CREATE TABLE notes AS SELECT 7 AS id"); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := query[int](t.Context(), s.URL, "SELECT id FROM notes"); err != nil || got != 7 {
			t.Errorf("run %d: got %d, %v", run, got, err)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	skipIfShort(t, "PostgreSQL")
	t.Run("port taken", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, err = StartPostgres(t.Context(), "", l.Addr().(*net.TCPAddr).Port)
		wantError(t, err, "address already in use")
	})
	t.Run("log in the error", func(t *testing.T) {
		t.Parallel()
		dir := openDir(t)
		if err := os.Mkdir(filepath.Join(dir, "data"), 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := StartPostgres(t.Context(), dir, 0)
		wantError(t, err, "PostgreSQL ended as it started", filepath.Join(dir, "data"))
	})
	t.Run("directory in use", func(t *testing.T) {
		t.Parallel()
		s := PostgresServer(t)
		ctx, cancel := timeoutSoon(t)
		defer cancel()
		_, err := StartPostgres(ctx, s.Dir, 0)
		wantError(t, err, s.Dir+" is in use by another process")
	})
	t.Run("directory out of reach", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() != 0 {
			return // only root runs it as someone else
		}
		closed := openDir(t)
		if err := os.Chmod(closed, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := StartPostgres(t.Context(), filepath.Join(closed, "postgres"), 0)
		wantError(t, err, closed+" is closed to it")
	})
}

func TestPostgresIsMissing(t *testing.T) {
	t.Parallel()
	_, err := findPostgres([]string{t.TempDir()})
	wantError(t, err, "PostgreSQL is missing", "apt-get install postgresql", "TRELLIS_TEST_POSTGRES", "docker run")
}

func TestNewestPostgresIsFirst(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, v := range []string{"9", "15", "17"} {
		bin := filepath.Join(root, v, "bin")
		if err := os.MkdirAll(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, program := range []string{"postgres", "initdb"} {
			if v == "17" && program == "initdb" {
				continue // a version of which only a part is installed
			}
			if err := os.WriteFile(filepath.Join(bin, program), nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := findPostgres(newestFirst(filepath.Join(root, "*", "bin")))
	if want := filepath.Join(root, "15", "bin"); err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestGivenServer(t *testing.T) {
	t.Parallel()
	s := PostgresServer(t)
	url, drop, err := createDatabase(t.Context(), s.URL+"&application_name=given")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := query[string](t.Context(), url, "SHOW application_name"); err != nil || got != "given" {
		t.Errorf("the URL's options are lost: %q, %v", got, err)
	}
	if err := drop(); err != nil {
		t.Error(err)
	}
	_, _, err = createDatabase(t.Context(), "host=localhost password=hush")
	if wantError(t, err, "TRELLIS_TEST_POSTGRES", "postgres://"); strings.Contains(err.Error(), "hush") {
		t.Errorf("it tells the password: %v", err)
	}
}

// openDir is a temporary directory that other users can reach.
func openDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "testenv-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}
