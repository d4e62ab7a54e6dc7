// Tell users of a browser that is too old for the app, which would show its first picture for good. Written in old JavaScript. Also
// says what to do if the app does not start for another reason.
(function () {
  var say = function (text) {
    var place = document.querySelector(".splash-words");
    if (place) place.textContent = text;
  };
  var supports = window.HTMLScriptElement && HTMLScriptElement.supports;
  if (!supports || !HTMLScriptElement.supports("importmap") || !window.DecompressionStream)
    say(
      "This browser is too old for KSWiFi. Update it, or open this page in a current Chrome, Firefox or Safari (16.4). Your sessions on the eSIM are safe."
    );
  else
    setTimeout(function () {
      say("KSWiFi does not start. Check the network, then load this page again.");
    }, 20000);
})();
