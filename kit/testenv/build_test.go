package testenv

import "testing"

func TestWrapModule(t *testing.T) {
	t.Parallel()
	got, err := wrapModule([]byte(`module github.com/hashicorp/consul

go 1.25.5

toolchain go1.25.6

tool example.com/lint

replace (
	github.com/hashicorp/consul/api => ./api
	github.com/hashicorp/consul/sdk v0.17.1 => ../sdk
	example.com/kept => example.com/fork v1.2.3
)

retract v1.0.0

exclude example.com/bad v1.1.5

require github.com/hashicorp/consul/api v1.33.2
`), "github.com/hashicorp/consul", "1.22.3", "github.com/hashicorp/consul")
	if err != nil {
		t.Fatal(err)
	}
	const want = `module tools

go 1.25.5

replace example.com/kept => example.com/fork v1.2.3

exclude example.com/bad v1.1.5

require (
	github.com/hashicorp/consul v1.22.3
	github.com/hashicorp/consul/api v1.33.2
)

tool github.com/hashicorp/consul
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
