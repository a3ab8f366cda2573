export const mutants = {
  'permissions are not kept': [['await handle.chmod(old.mode & PERMISSIONS);', '']],
  'a link is replaced': [
    ['if (!stats?.isSymbolicLink() || links === MAX_LINKS) return at;', 'return at;'],
  ],
  'parts of dead processes stay': [["return codeOf(error) === 'ESRCH';", 'return false;']],
  'parts of living processes go': [
    ['if (host && (await isDead(host, Number(pid), Number(start), part))) {', 'if (host) {'],
  ],
};
