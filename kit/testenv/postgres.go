package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// StartPostgres runs a PostgreSQL cluster on 127.0.0.1; port 0 is a free one.
// dir keeps its data from run to run, and is made the first time; with dir ""
// the data is temporary, and outlives Kill but would not outlive a power cut.
//
// Whoever can connect from this machine is its superuser, with no password:
// it is for tests and for trying the system out, not for data that matters.
//
// PostgreSQL refuses to run as root; root runs it as the user postgres, who
// must be able to reach dir and then owns it.
//
// ctx bounds the start alone.
func StartPostgres(ctx context.Context, dir string, port int) (*Server, error) {
	bin, err := PostgresBinaries()
	if err != nil {
		return nil, err
	}
	return start(ctx, dir, port, func(s *Server, port int) error {
		s.URL = "postgres://postgres@" + s.Addr + "/postgres?sslmode=disable"
		id := "trellis-" + strings.ToLower(rand.Text())
		s.kind = kind{
			name:    "PostgreSQL",
			quit:    syscall.SIGINT, // in good order, without waiting for clients
			ready:   func(ctx context.Context) error { return postgresReady(ctx, s.URL, id) },
			remains: removeSharedMemory,
		}
		options := []string{
			"-c", "port=" + strconv.Itoa(port),
			"-c", "listen_addresses=127.0.0.1",
			"-c", "unix_socket_directories=", // none: their paths are bounded at a hundred bytes
			"-c", "max_connections=200",
			"-c", "cluster_name=" + id,
		}
		sync := ""
		if s.temporary {
			s.kind.quit = syscall.SIGQUIT // at once
			sync = "--no-sync"
			options = append(options, "-c", "fsync=off", "-c", "full_page_writes=off")
		}
		s.kind.command = append([]string{"sh", "-c", postgresScript, "postgres", bin, filepath.Join(s.Dir, "data"), sync}, options...)
		return handOver(s)
	})
}

// postgresScript makes the cluster if there is none yet, and becomes the
// server. A cluster half made has another name, and is made anew. Asked to end,
// it lets initdb finish, for that would leave shared memory behind: a shell's
// background processes ignore SIGINT and SIGQUIT.
const postgresScript = `
bin=$1 data=$2 sync=$3
shift 3
if [ ! -d "$data" ]; then
	rm -rf "$data.new" || exit
	"$bin/initdb" -D "$data.new" -U postgres -A trust -E UTF8 --locale=C $sync || exit
	mv "$data.new" "$data" || exit
fi
exec "$bin/postgres" -D "$data" "$@"
`

// postgresReady asks for the cluster's name too: if the port was taken, it is
// another server that answers.
func postgresReady(ctx context.Context, url, id string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var name string
	if err := conn.QueryRow(ctx, "SHOW cluster_name").Scan(&name); err != nil {
		return err
	}
	if name != id {
		return fmt.Errorf("another server answers at %s", url)
	}
	return nil
}

// handOver gives the server's directory to the user postgres if we are root.
func handOver(s *Server) error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("testenv: PostgreSQL does not run as root, and there is no other user for it: %w", err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("testenv: user postgres: %w", err)
	}
	for dir := filepath.Dir(s.Dir); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("testenv: %w", err)
		}
		if info.Mode()&0o001 == 0 && info.Sys().(*syscall.Stat_t).Uid != uint32(uid) {
			return fmt.Errorf("testenv: PostgreSQL does not run as root, and the user postgres can't reach %s: %s is closed to it; choose another directory", s.Dir, dir)
		}
	}
	s.kind.user = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.Dir, uid, gid)
}

// removeSharedMemory removes the System V segment that a killed PostgreSQL
// leaves in the kernel, which bounds their number.
func removeSharedMemory(dir string) {
	if segment := sharedMemory(dir); segment != "" {
		_ = exec.Command("ipcrm", "-m", segment).Run()
	}
}

// sharedMemory is the number of that segment: the second on the seventh line
// of postmaster.pid, or "" if that says none.
func sharedMemory(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		return ""
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 7 {
		return ""
	}
	if fields := strings.Fields(lines[6]); len(fields) == 2 {
		return fields[1]
	}
	return ""
}

// PostgresBinaries returns the directory of the newest PostgreSQL on this
// machine, or an error that says how to get one.
func PostgresBinaries() (string, error) { return findPostgres(postgresPlaces()) }

func findPostgres(places []string) (string, error) {
	for _, dir := range places {
		if executable(filepath.Join(dir, "postgres")) && executable(filepath.Join(dir, "initdb")) {
			return dir, nil
		}
	}
	return "", fmt.Errorf(`testenv: PostgreSQL is missing: no directory with both postgres and initdb in PATH, nor in /usr/lib/postgresql/*/bin and the like. Either
  on Debian or Ubuntu: make tools (which runs: apt-get install postgresql); on macOS: brew install postgresql
  or set %s to the URL of a server where databases may be created; one in Docker:
    docker run --rm -d -p 127.0.0.1:5433:5432 -e POSTGRES_HOST_AUTH_METHOD=trust postgres
    export %[1]s='postgres://postgres@127.0.0.1:5433/postgres?sslmode=disable'`, postgresVariable)
}

// postgresPlaces are the directories where PostgreSQL may be: what PATH says
// first, then the known ones, a newer version before an older.
func postgresPlaces() []string {
	places := filepath.SplitList(os.Getenv("PATH"))
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",         // Debian
		"/usr/pgsql-*/bin",                  // Red Hat
		"/opt/homebrew/opt/postgresql*/bin", // Homebrew
		"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
		"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
		"/usr/local/pgsql/bin",     // from source
		"/usr/libexec/postgresql*", // Alpine
	} {
		places = append(places, newestFirst(pattern)...)
	}
	return places
}

var major = regexp.MustCompile(`[0-9]+`)

// newestFirst returns the paths of that pattern by the last number in each.
func newestFirst(pattern string) []string {
	version := func(path string) int {
		numbers := major.FindAllString(path, -1)
		if len(numbers) == 0 {
			return 0
		}
		n, _ := strconv.Atoi(numbers[len(numbers)-1])
		return n
	}
	found, _ := filepath.Glob(pattern)
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	return found
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
