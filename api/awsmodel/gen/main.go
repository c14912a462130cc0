// Command gen writes the shapes of AWS services that package awsmodel is about,
// from botocore's copies of the service models.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	data := flag.String("data", "", "botocore's data `folder`, of release "+pinned)
	out := flag.String("out", ".", "`folder` to write the packages below")
	flag.Parse()
	if *data == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*data, *out); err != nil {
		log.Fatal(err)
	}
}

func run(data, out string) error {
	files, err := generate(data)
	if err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(out, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the text of all files by their path below -out.
func generate(data string) (map[string][]byte, error) {
	if err := checkRelease(data); err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for _, s := range services {
		m, err := loadModel(filepath.Join(data, filepath.FromSlash(s.Model)))
		if err != nil {
			return nil, err
		}
		fs, err := emit(s, m)
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", s.Package, err)
		}
		for name, text := range fs {
			files[s.Package+"/"+name] = text
		}
	}
	return files, nil
}

var versionLine = regexp.MustCompile(`(?m)^__version__ = '([^']+)'`)

// checkRelease refuses models of another release than the pinned one: the next
// one to generate would get other shapes for no reason that the tree shows.
func checkRelease(data string) error {
	file := filepath.Join(data, "..", "__init__.py")
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("the release of botocore is not known: %w", err)
	}
	if m := versionLine.FindSubmatch(text); m == nil || string(m[1]) != pinned {
		return fmt.Errorf("%s is not botocore %s, which the shapes are generated from", file, pinned)
	}
	return nil
}
