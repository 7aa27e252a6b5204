package preset

// index repeats the [preset] tables of the files, so that looking a command up
// parses none of them. Presets are matched in this order.
func index() []Preset {
	return []Preset{
		{Name: "default", Description: "nothing but a private TMPDIR; reads everywhere but the credential stores"},
		{Name: "base", Description: "no secrets of other tools in the environment; for others to extend"},
		{
			Name: "npm", Description: "npm and npx: the project, npm's caches and its registries",
			Match:   []string{"npm", "npm *", "npx", "npx *"},
			Extends: []string{"base", "node-gyp"}, discover: npmRegistries,
		},
		{
			Name: "pnpm", Description: "pnpm: the project, pnpm's store and its registries",
			Match:   []string{"pnpm", "pnpm *", "pnpx", "pnpx *"},
			Extends: []string{"base", "node-gyp"}, discover: pnpmRegistries,
		},
		{
			Name: "yarn", Description: "yarn: the project, yarn's caches and its registries",
			Match:   []string{"yarn", "yarn *", "yarnpkg", "yarnpkg *"},
			Extends: []string{"base", "node-gyp"}, discover: yarnRegistries,
		},
		{
			Name: "bun", Description: "bun: the project, bun's cache and its registries",
			Match:   []string{"bun", "bun *", "bunx", "bunx *"},
			Extends: []string{"base", "node-gyp"}, discover: bunRegistries,
		},
		{
			Name: "node-gyp", Description: "node-gyp: the project and the headers of node",
			Match:   []string{"node-gyp", "node-gyp *"},
			Extends: []string{"base"},
		},
		{Name: "npm-script", Description: "a script of an npm package: its own folder, no network, no credentials", Extends: []string{"base"}},
		{Name: "npm-online", Description: "a script of an npm package, with the hosts of npm", Extends: []string{"npm-script"}, discover: npmRegistries},
		{
			Name: "pip", Description: "pip and pipx: the project, the active virtual environment, pip's cache and its indexes",
			Match: []string{
				"{pip,pip3,pip3.*,pipx}",
				"{pip,pip3,pip3.*,pipx} *",
				"python{,3,3.*} -m {pip,pipx,build,ensurepip,venv,virtualenv} *",
				"python{,3,3.*} -* -m {pip,pipx,build,ensurepip,venv,virtualenv} *",
				"python{,3,3.*} -* -* -m {pip,pipx,build,ensurepip,venv,virtualenv} *",
				"python{,3,3.*} -{W,X} * -m {pip,pipx,build,ensurepip,venv,virtualenv} *",
				"python{,3,3.*} -m{pip,pipx,build} *",
				"python{,3,3.*} {setup.py,*/setup.py} *",
				"python{,3,3.*} -* {setup.py,*/setup.py} *",
			},
			Extends: []string{"base"}, discover: pipIndexes,
		},
		{
			Name: "uv", Description: "uv and uvx: the project, the active virtual environment, uv's cache and its indexes",
			Match:   []string{"uv", "uv *", "uvx", "uvx *", "python{,3,3.*} -m uv *"},
			Extends: []string{"base"}, discover: uvIndexes,
		},
		{
			Name: "poetry", Description: "poetry: the project, poetry's caches and environments, and pip's indexes",
			Match:   []string{"poetry", "poetry *", "python{,3,3.*} -m poetry *"},
			Extends: []string{"base"}, discover: pipIndexes,
		},
		{
			Name: "pdm", Description: "pdm: the project, the active virtual environment, pdm's cache and pip's indexes",
			Match:   []string{"pdm", "pdm *", "python{,3,3.*} -m pdm *"},
			Extends: []string{"base"}, discover: pipIndexes,
		},
		{
			Name: "cargo", Description: "cargo: the project, cargo's caches and its registries",
			Match:   []string{"cargo", "cargo *"},
			Extends: []string{"base"}, discover: cargoRegistries,
		},
		{
			Name: "go", Description: "go build, test, run, generate and the like: the project, go's caches, the module proxy",
			Match: []string{
				"go {build,fix,generate,get,install,list,mod,run,test,tool,vet,work} *",
				"go -C * {build,fix,generate,get,install,list,mod,run,test,tool,vet,work} *",
			},
			Extends: []string{"base"}, discover: goProxies,
		},
		{
			Name: "gem", Description: "gem and bundle: the project, the user's gems and their caches",
			Match:   []string{"gem", "gem *", "{bundle,bundler}", "{bundle,bundler} *"},
			Extends: []string{"base"},
		},
		{
			Name: "composer", Description: "composer: the project, composer's cache and its repository",
			Match:   []string{"composer", "composer *", "composer.phar", "composer.phar *", "php {composer,composer.phar} *"},
			Extends: []string{"base"},
		},
		{
			Name: "make", Description: "make, cmake, ninja, just, ./configure: the project and compilers' caches, no network",
			Match: []string{
				"{make,gmake}",
				"{make,gmake} *",
				"{cmake,ctest,cpack}",
				"{cmake,ctest,cpack} *",
				"ninja",
				"ninja *",
				"just",
				"just *",
				"*/configure",
				"*/configure *",
				"{sh,bash} {configure,*/configure} *",
			},
			Extends: []string{"base"},
		},
		{
			Name: "git", Description: "git in a repository whose configuration runs something: the repository, no network",
			Extends: []string{"base"},
		},
		{
			Name: "git-hooks", Description: "hooks of git: the repository and pre-commit's environments, no network",
			Extends: []string{"base"},
		},
		{
			Name: "script", Description: "a script from elsewhere, as of curl … | sh: a private TMPDIR, no network",
			Extends: []string{"base"},
		},
	}
}
