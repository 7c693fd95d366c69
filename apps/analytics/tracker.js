// <script defer src="tracker.js" data-endpoint="http://localhost:8081/events" data-user="u-1"></script>
// Sends page views, clicks on elements with data-track, and what the page tells troupe.track.
(function () {
  var about = document.currentScript.dataset
  var silent = navigator.doNotTrack === '1' || navigator.globalPrivacyControl
  var session, path

  // crypto.randomUUID is there on https alone.
  function uuid() {
    return '10000000-1000-4000-8000-100000000000'.replace(/[018]/g, function (c) {
      return (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16)
    })
  }

  function sessionId() {
    try {
      session = session || sessionStorage.getItem('troupe') || uuid()
      sessionStorage.setItem('troupe', session)
    } catch (e) {
      session = session || uuid() // storage is forbidden: a session per page
    }
    return session
  }

  function track(type, payload) {
    if (silent) return
    var texts = {}
    for (var name in payload) texts[name] = String(payload[name])
    var body = JSON.stringify({
      type: type, user_id: about.user || '', session_id: sessionId(), payload: texts
    })
    // As text/plain it needs no leave of the other origin beforehand.
    var blob = new Blob([body], { type: 'text/plain' })
    if (navigator.sendBeacon && navigator.sendBeacon(about.endpoint, blob)) return
    fetch(about.endpoint, { method: 'POST', body: blob, keepalive: true }).catch(function () {})
  }

  function view() {
    if (path === location.pathname) return
    path = location.pathname
    track('page_view', { path: path })
  }

  var push = history.pushState
  history.pushState = function () {
    push.apply(history, arguments)
    view()
  }
  addEventListener('popstate', view)
  document.addEventListener('click', function (e) {
    var at = e.target.closest && e.target.closest('[data-track]')
    if (at) track('click', { element: at.dataset.track, path: location.pathname })
  }, true)

  window.troupe = { track: track }
  view()
})()
