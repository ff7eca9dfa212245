package testenv

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
)

// tool is a program that is built once, from its Go module, into the cache.
type tool struct {
	name, version string
	variable      string                                       // of the environment: names one to use instead
	takes         string                                       // how long the build does
	build         func(ctx context.Context, work string) error // makes work/name
}

const (
	consulModule  = "github.com/hashicorp/consul"
	consulVersion = "1.22.3" // of 1.21 and 1.22 the only one whose modules are all published
)

var consul = tool{
	name: "consul", version: consulVersion,
	variable: consulVariable, takes: "about six minutes on two cores", build: buildConsul,
}

// ConsulBinary returns the path of a Consul: the one that
// TRELLIS_TEST_CONSUL_BIN names; or the one in the cache (TRELLIS_CACHE, or
// trellis in the user's cache folder); or the one in PATH; or, once, one that
// it builds into the cache from Consul's Go module. That takes minutes, says
// so on standard error, and is done by one process while the others wait.
func ConsulBinary(ctx context.Context) (string, error) {
	binary, err := consul.binary(ctx)
	if err != nil {
		return "", fmt.Errorf(`testenv: Consul is missing: %w
Either
  make it build: make tools (it needs Go and the network; Consul's sources are Go modules)
  or install Consul, so that it is in PATH, or set %s to where it is; with Docker on Linux:
    docker run --rm --entrypoint cat hashicorp/consul:%[3]s /bin/consul >consul && chmod +x consul
    export %[2]s=$PWD/consul`, err, consulVariable, consulVersion)
	}
	return binary, nil
}

// binary returns the tool's path, and builds it if there is none.
func (t tool) binary(ctx context.Context) (string, error) {
	if path := os.Getenv(t.variable); path != "" {
		if !executable(path) {
			return "", fmt.Errorf("%s is %q, which is not a program", t.variable, path)
		}
		return path, nil
	}
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(cache, t.name+"-"+t.version)
	if executable(binary) {
		return binary, nil
	}
	if path, err := exec.LookPath(t.name); err == nil {
		return filepath.Abs(path)
	}
	if err := t.buildOnce(ctx, binary); err != nil {
		return "", fmt.Errorf("building it failed: %w", err)
	}
	return binary, nil
}

func cacheFolder() (string, error) {
	dir := os.Getenv(cacheVariable)
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("testenv: no cache folder: %w; set %s to one", err, cacheVariable)
		}
		dir = filepath.Join(user, "trellis")
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("testenv: cache folder: %w", err)
	}
	return dir, nil
}

// buildOnce builds the file binary unless another process does so first.
func (t tool) buildOnce(ctx context.Context, binary string) error {
	if _, err := exec.LookPath("go"); err != nil {
		return err
	}
	lock, err := lockFile(ctx, binary+".lock")
	if err != nil {
		return err
	}
	defer lock.Close()
	if executable(binary) {
		return nil
	}
	fmt.Fprintf(os.Stderr, "testenv: building %s %s once, %s…\n", t.name, t.version, t.takes)
	begin := time.Now()
	work := binary + ".build" // ours while we hold the lock
	if err := errors.Join(os.RemoveAll(work), os.Mkdir(work, 0o755)); err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := t.build(ctx, work); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(work, t.name), binary); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "testenv: built %s in %s\n", binary, time.Since(begin).Round(time.Second))
	return nil
}

// buildConsul builds work/consul. "go install" refuses Consul's module, because
// it replaces some modules by folders of its repository.
func buildConsul(ctx context.Context, work string) error {
	if err := wrap(ctx, work, consulModule, consulVersion, consulModule); err != nil {
		return err
	}
	return goBuild(ctx, work, "consul", consulModule)
}

// wrap makes work a module that requires the one of that path at the same
// versions of everything as that one does itself. What the module is for is in
// its tools, or in the sources that are in work already.
func wrap(ctx context.Context, work, path, version string, tools ...string) error {
	out, err := goCommand(ctx, work, "mod", "download", "-json", path+"@v"+version)
	if err != nil {
		return err
	}
	var source struct{ GoMod, Dir string }
	if err := json.Unmarshal(out, &source); err != nil {
		return fmt.Errorf("go mod download: %w", err)
	}
	upstream, err := os.ReadFile(source.GoMod)
	if err != nil {
		return err
	}
	wrapper, err := wrapModule(upstream, path, version, tools...)
	if err != nil {
		return err
	}
	sums, err := os.ReadFile(filepath.Join(source.Dir, "go.sum"))
	if err != nil {
		return err
	}
	if err := errors.Join(
		os.WriteFile(filepath.Join(work, "go.mod"), wrapper, 0o644),
		os.WriteFile(filepath.Join(work, "go.sum"), sums, 0o644),
	); err != nil {
		return err
	}
	_, err = goCommand(ctx, work, "mod", "tidy", "-e")
	return err
}

// wrapModule turns a module's go.mod into that of the module tools, which
// requires it. It leaves out what holds in that module's repository alone.
func wrapModule(upstream []byte, path, version string, tools ...string) ([]byte, error) {
	f, err := modfile.Parse("go.mod", upstream, nil)
	if err != nil {
		return nil, err
	}
	err = f.AddModuleStmt("tools")
	for _, r := range f.Replace {
		if modfile.IsDirectoryPath(r.New.Path) {
			err = errors.Join(err, f.DropReplace(r.Old.Path, r.Old.Version))
		}
	}
	for _, r := range f.Retract {
		err = errors.Join(err, f.DropRetract(r.VersionInterval))
	}
	for _, t := range f.Tool {
		err = errors.Join(err, f.DropTool(t.Path))
	}
	f.DropToolchainStmt()
	err = errors.Join(err, f.AddRequire(path, "v"+version))
	for _, t := range tools {
		err = errors.Join(err, f.AddTool(t))
	}
	if err != nil {
		return nil, err
	}
	f.Cleanup()
	return f.Format()
}

// goBuild builds the package to dir/name.
func goBuild(ctx context.Context, dir, name, pkg string) error {
	_, err := goCommand(ctx, dir, "build", "-trimpath", "-ldflags=-s -w", "-o", name, pkg)
	return err
}

// goCommand runs the go command in dir, apart from any module or workspace
// around it, and returns what it prints. What it installs goes to dir.
func goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "CGO_ENABLED=0", "GOBIN="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		said := stderr.String() + string(out)
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, said[max(0, len(said)-2000):])
	}
	return out, nil
}
