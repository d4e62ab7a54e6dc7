/*bb37105cb1ba9f1f44290aeb5618c9a6cdcbf3aba6525a14e078f5a8b653f882*/
import{change as B,newKey as M,Problem as T}from"../api.js";import{t}from"../i18n.js";import{SessionManager as U}from"../road.js";import{carryOut as H,keep as I,limits as J,load as z,onWifi as K,sizeOf as k,standing as W}from"../standing.js";import{useEffect as Y,useRef as j,useState as c}from"../state.js";import{asked as q,offers as F,reachable as G,say as Q,words as w}from"../store.js";import{Heading as A,html as s,Icon as V,Note as b}from"../ui.js";const X=[5,10,20,30,50],Z=[1,2,3,5,7],ee=["ordered","ignored","not_needed","no_esim","offer_gone"],v=({label:e,options:o,value:d,choose:l})=>s`<div class="stack tight" role="group" aria-label=${e}><b>${e}</b><div class="seg">${o.map(([a,$])=>s`<button type="button" key=${a} aria-pressed=${d===a} onClick=${()=>l(a)}>${$}</button>`)}</div></div>`,te=e=>ee.includes(e)?t(`standing.result.${e}`):w(new T(409,e,""));function ne({order:e}){const[o,d]=c(!1),[l,a]=c("");async function $(g){a("");try{const i=g||await K();if(i===null)return d(!0);const p=await H("person",!!i);U.showDownloadProgress(p.session_id)}catch(i){a(w(i)),z().catch(()=>{})}}return s`<section class="card"><h2>${t("standing.due",{size:k(e.offer_id)})}</h2>${l&&s`<${b} kind="error" live>${l}<//>`}
${o&&s`<${b} icon="wifi" live>${t("choose.ask")}<//>`}<button class="btn wide" onClick=${()=>$(o)}><${V} name="down" />${t(o?"choose.ask_yes":"choose.button")}</button></section>`}function se(){const e=W.value,o=J.value,d=F.value.filter(n=>n.price_kobo===0),[l,a]=c(""),[$,g]=c(""),[i,p]=c(0),[y,m]=c(""),[L,N]=c(!1),u=j({what:"",key:""});Y(()=>{z().then(()=>N(!0),n=>m(w(n)))},[q.value,G.value]);const r=$||(e?.days_before_end?"days_before_end":"below_percent"),R=r==="below_percent"?X:Z,S=r==="below_percent"?o?.largest_percent??50:o?.largest_days??7,_=R.filter(n=>n<=S),E=_.includes(i)?i:e?.[r]??_[Math.min(2,_.length-1)]??S,h=l||e?.offer_id||(d[0]?.id??"");async function P(n,O,x){m("");const D=n+JSON.stringify(O);u.current.what!==D&&(u.current={what:D,key:M()});try{const f=await B("/api/v1/standing-order",O,{method:n,key:u.current.key});u.current={what:"",key:""},await I(f).catch(()=>{}),a(""),g(""),p(0),Q(x,{about:"standing"})}catch(f){f instanceof T&&!f.passing&&(u.current={what:"",key:""}),m(w(f))}}const C=n=>P("PUT",{offer_id:h,[r]:E,paused:n},t(n?"standing.is_paused":"standing.is_on",{size:k(h)}));return o&&!o.enabled?s`<${A} title=${t("standing.title")} back="#/settings" /><${b}>${t("problem.standing_orders_off")}<//>`:s`
<${A} title=${t("standing.title")} lead=${t("standing.lead")} back="#/settings" />${e?.due&&s`<${ne} order=${e} />`}
${e&&!e.due&&s`<${b} icon=${e.state==="on"?"check":e.state==="paused"?"pause":"clock"} live><b>${t(`standing.state.${e.state}`)}</b>${e.last_result&&s`<br />${te(e.last_result)}`}<//>`}<${v}
label=${t("standing.what")}
options=${d.map(n=>[n.id,k(n.id)])}
value=${h}
choose=${a}
/><${v}
label=${t("standing.when")}
options=${[["below_percent",t("standing.by_rest")],["days_before_end",t("standing.by_days")]]}
value=${r}
choose=${g}
/><${v}
label=${t(r==="below_percent"?"standing.rest":"standing.days")}
options=${_.map(n=>[n,r==="below_percent"?`${n} %`:String(n)])}
value=${E}
choose=${p}
/><p class="small soft">${t("standing.rules")}</p><div class="act stick">${y&&s`<${b} kind="error" live>${y}<//>`}<button class="btn wide" disabled=${!L&&!e} onClick=${()=>C(!1)}>${t(e?e.state==="paused"?"standing.go_on":"standing.save":"standing.make")}</button>${e&&s`<div class="row">${e.state!=="paused"&&s`<button class="btn plain grow" onClick=${()=>C(!0)}>${t("standing.pause")}</button>`}<button class="btn plain grow" onClick=${()=>P("DELETE",void 0,t("standing.ended"))}>${t("standing.end")}</button></div>`}</div>
`}export{se as default};
