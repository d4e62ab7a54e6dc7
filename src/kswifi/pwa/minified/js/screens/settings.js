/*cde48167da9a1a7744908dfa5a397cdeef1a47b6e65cf51b0e539ce702105fea*/
import{change as v}from"../api.js";import{trouble as w}from"../db.js";import{InstallApp as _}from"../doors.js";import{formatOctets as y}from"../format.js";import{t}from"../i18n.js";import{listen as m}from"../live.js";import{beTold as k,beToldNoMore as d,pushHere as C,pushOn as p}from"../push.js";import{go as E}from"../router.js";import{useEffect as S,useRef as H,useState as I}from"../state.js";import{account as O,environment as T,forget as x,prefer as l,preferences as M,reachable as N,say as R}from"../store.js";import{Support as j}from"../support.js";import{Heading as q,html as s,Icon as f,Insecure as z,Row as i,Switch as h}from"../ui.js";const b=({label:a,value:r,options:c,change:$})=>s`<div class="stack tight" role="group" aria-label=${a}><h2>${a}</h2><div class="seg">${c.map(([n,u])=>s`<button key=${n} aria-pressed=${r===n} onClick=${()=>$(n)}>${u}</button>`)}</div></div>`;async function A(){await x(),m(),E("home")}async function B(){await d().catch(()=>{}),await v("/api/v1/logins/current",void 0,{method:"DELETE"}).catch(()=>{}),await A()}async function D(a){await l({alerts:a}),!a&&p.peek()&&await d()}async function L(a){if(!a)return d();await l({alerts:!0}),await k().catch(()=>!1)||R(t("settings.alerts_denied"))}function F(){const{theme:a,language:r,low_data:c,alerts:$}=M.value,[n,u]=I(null),g=H(null);S(()=>{navigator.storage?.estimate?.().then(({usage:e})=>u(e??null))},[]);const o=O.value;return s`
<${q} title=${t("settings.title")} />${o?s`<div class="list"><${i} icon="user" to="security" name=${o.phone_number??o.email??""} hint=${t("security.teaser")} /><${i} icon="line" to="usage" name=${t("usage.title")} /><${i} icon="down" to="standing" name=${t("standing.title")} /><${i} icon="wifi" to="gifts" name=${t("gifts.title")} /><${i} icon="phone" to="move" name=${t("new_esim.title")} /></div>`:s`<a class="btn wide" href="#/account">${t("account.sign_in")}</a>`}<${b}
label=${t("settings.theme")}
value=${a}
options=${["system","dark","light"].map(e=>[e,t(`theme.${e}`)])}
change=${e=>l({theme:e})}
/><${b}
label=${t("settings.language")}
value=${r}
options=${[["",t("language.system")],["en","English"],["pcm","Naijá"]]}
change=${e=>l({language:e})}
/><div class="list"><${h}
label=${t("settings.low_data")}
hint=${t("settings.low_data_hint")}
on=${c}
change=${e=>l({low_data:e}).then(m)}
/><${h} label=${t("settings.alerts")} hint=${t("settings.alerts_hint")} on=${$} change=${D} />${o&&C&&s`<${h} label=${t("settings.push")} hint=${t("settings.push_hint")} on=${!!p.value} change=${L} />`}</div><${_} /><${z} /><section class="card"><h2>${t("about.title")}</h2><p class="soft">${t("about.lead")}</p><ul class="stack">${["device","card","server"].map(e=>s`<li class="row" style="align-items:flex-start"><span class="dot"><${f} name=${e==="device"?"phone":e==="card"?"chip":"wifi"} /></span><span class="grow"><b>${t(`about.${e}`)}</b><br /><span class="small soft">${t(`about.${e}.what`)}</span></span></li>`)}</ul>${n!==null&&!w.value&&s`<p class="small soft num">${t("about.held",{size:y(n)})}</p>`}</section><div class="list"><${i} icon="phone" to="device" name=${t("device.title")} hint=${t("device.teaser")} /></div><${j} />${T.value?.lab_origin&&s`<a class="btn quiet wide" href="/lab"><${f} name="phone" />${t("esim.lab")}</a>`}
${o&&s`
<button class="btn danger wide" onClick=${()=>g.current?.showModal()}>${t("settings.sign_out")}</button><dialog ref=${g} aria-labelledby="sure"><div class="stack"><h2 id="sure">${t("settings.sure")}</h2><p class="soft">${t("settings.sure_lead")}${N.value?"":` ${t("settings.sure_offline")}`}</p><button class="btn wide" onClick=${B}>${t("settings.sign_out")}</button><button class="btn plain wide" onClick=${()=>g.current?.close()}>${t("settings.stay")}</button></div></dialog>
`}
`}export{F as default};
