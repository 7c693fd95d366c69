#include "apps/command/completion.hpp"

#include <CLI/CLI.hpp>

#include <string_view>
#include <vector>

namespace troupe {
namespace {

struct word {
  std::string text, about;
  bool takes_value = false;
};

/// One command with what may follow it.
struct place {
  std::string path; ///< "dlq replay"; empty: none yet
  std::vector<word> commands, options;
};

std::string one_line(std::string text) {
  for (auto& c : text)
    if (c == '\n') c = ' ';
  return text;
}

void collect(const CLI::App& from, const std::string& path, std::vector<place>& into) {
  place here;
  here.path = path;
  const auto& commands = from.get_subcommands([](const CLI::App* app) { return !app->get_name().empty(); });
  for (const auto* c : commands)
    here.commands.push_back({c->get_name(), one_line(c->get_description()), false});
  for (const auto* o : from.get_options()) {
    const auto add = [&](const std::string& name) {
      here.options.push_back({name, one_line(o->get_description()), o->get_items_expected_max() > 0});
    };
    for (const auto& name : o->get_lnames())
      add("--" + name);
    for (const auto& name : o->get_snames())
      add("-" + name);
  }
  into.push_back(std::move(here));
  for (const auto* c : commands)
    collect(*c, path.empty() ? c->get_name() : path + ' ' + c->get_name(), into);
}

/// For all three shells: a quote ends what is quoted, stands alone, and begins it again.
std::string quoted(std::string_view text, std::string_view quote_inside) {
  std::string out = "'";
  for (const char c : text)
    c == '\'' ? out += quote_inside : out += c;
  return out + '\'';
}

/// `"$at $word"` for each step that leads on from a command to one of its subcommands.
std::string steps(const std::vector<place>& all, const std::string& between) {
  std::string out;
  for (const auto& p : all)
    for (const auto& c : p.commands)
      out += (out.empty() ? "" : between) + ('"' + p.path + ' ' + c.text + '"');
  return out;
}

std::string for_bash(const std::vector<place>& all, const std::string& name) {
  std::string out =
      "# bash completion of " + name + ": source it, or put it into bash-completion's folder.\n";
  out += "_" + name +
         "() {\n  local at=\"\" word words=\"\" i\n  local current=\"${COMP_WORDS[COMP_CWORD]}\"\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n    word=\"${COMP_WORDS[i]}\"\n    case \"$at $word\" "
         "in\n      " +
         steps(all, " | ") + ") at=\"${at:+$at }$word\" ;;\n    esac\n  done\n  case \"$at\" in\n";
  for (const auto& p : all) {
    std::string words;
    for (const auto* of : {&p.commands, &p.options})
      for (const auto& w : *of)
        words += (words.empty() ? "" : " ") + w.text;
    out += "    \"" + p.path + "\") words=\"" + words + "\" ;;\n";
  }
  return out +
         "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "  # Where none of these is meant, a file may be.\n"
         "  ((${#COMPREPLY[@]})) || COMPREPLY=($(compgen -f -- \"$current\"))\n}\ncomplete -o filenames -F "
         "_" +
         name + ' ' + name + '\n';
}

std::string for_zsh(const std::vector<place>& all, const std::string& name) {
  std::string out = "#compdef " + name + "\n# zsh completion of " + name +
                    ": source it, or put it into a folder of $fpath as _" + name + ".\n";
  out +=
      "_" + name +
      "() {\n  local at=\"\" word i\n  local -a choices\n"
      "  for ((i = 2; i < CURRENT; i++)); do\n    word=\"${words[i]}\"\n    case \"$at $word\" in\n      (" +
      steps(all, "|") + ") at=\"${at:+$at }$word\" ;;\n    esac\n  done\n  case \"$at\" in\n";
  for (const auto& p : all) {
    out += "    (\"" + p.path + "\") choices=(";
    for (const auto* of : {&p.commands, &p.options})
      for (const auto& w : *of)
        out += "\n      " + quoted(w.text + ':' + w.about, "'\\''");
    out += "\n    ) ;;\n";
  }
  return out + "  esac\n  _describe -o " + name +
         " choices\n  _files\n}\n(( $+functions[compdef] )) && compdef _" + name + ' ' + name + '\n';
}

std::string for_fish(const std::vector<place>& all, const std::string& name) {
  std::string out =
      "# fish completion of " + name + ": source it, or put it into ~/.config/fish/completions.\n";
  out += "function __" + name +
         "_at\n  set -l at \"\"\n  for word in (commandline -opc)[2..-1]\n"
         "    switch \"$at $word\"\n      case " +
         steps(all, " ") +
         "\n        set at (string trim \"$at $word\")\n    end\n  end\n  test \"$at\" = \"$argv[1]\"\nend\n";
  for (const auto& p : all) {
    const auto begin = "complete -c " + name + " -n '__" + name + "_at \"" + p.path + "\"'";
    for (const auto& c : p.commands)
      out += begin + " -f -a " + c.text + " -d " + quoted(c.about, "\\'") + '\n';
    for (const auto& o : p.options) {
      const bool is_long = o.text.starts_with("--");
      out += begin + (is_long ? " -l " : " -s ") + o.text.substr(is_long ? 2 : 1) +
             (o.takes_value ? " -r" : "") + " -d " + quoted(o.about, "\\'") + '\n';
    }
  }
  return out;
}

} // namespace

result<std::string> completion_script(const CLI::App& of, const std::string& shell) {
  std::vector<place> all;
  collect(of, "", all);
  if (shell == "bash") return for_bash(all, of.get_name());
  if (shell == "zsh") return for_zsh(all, of.get_name());
  if (shell == "fish") return for_fish(all, of.get_name());
  return error{errc::usage, "there is completion for bash, zsh and fish, not for '" + shell + "'"};
}

} // namespace troupe
